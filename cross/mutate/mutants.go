package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is one change to one file: the bytes from from to to become text.
type mutant struct {
	file     string
	line     int
	from, to int
	text     string
	key      string // which change it is, in words that survive changes elsewhere in the file
}

// finder collects the mutants of one file.
type finder struct {
	file   string
	source []byte
	set    *token.FileSet
	where  string // the function
	found  []mutant
	seen   map[string]int
}

// mutantsOf lists what can be changed in the files of a folder that are not tests.
func mutantsOf(folder string) ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		found, err := mutantsIn(name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func mutantsIn(name string) ([]mutant, error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f := &finder{file: name, source: source, set: token.NewFileSet(), seen: map[string]int{}}
	tree, err := parser.ParseFile(f.set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range tree.Decls {
		f.where = "declarations"
		if fn, ok := d.(*ast.FuncDecl); ok {
			f.where = fn.Name.Name
			f.returns(fn.Type, fn.Body)
		}
		ast.Inspect(d, f.look)
	}
	return f.found, nil
}

func (f *finder) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *finder) textOf(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

// change notes a mutant in which a node reads otherwise.
func (f *finder) change(n ast.Node, text string) {
	f.splice(n, f.offset(n.Pos()), f.offset(n.End()), text)
}

// splice notes a mutant in which a part of a node reads otherwise.
func (f *finder) splice(n ast.Node, from, to int, text string) {
	start, whole := f.offset(n.Pos()), f.textOf(n)
	after := whole[:from-start] + text + whole[to-start:]
	key := fmt.Sprintf("%s %s: %s => %s", filepath.Base(f.file), f.where, oneLine(whole), oneLine(after))
	if f.seen[key]++; f.seen[key] > 1 {
		key += fmt.Sprintf(" (%d)", f.seen[key])
	}
	f.found = append(f.found, mutant{file: f.file, line: f.set.Position(n.Pos()).Line, from: from, to: to, text: text, key: key})
}

// oneLine gives the essence of a text.
func oneLine(s string) string {
	const most = 100
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "nothing"
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}

var operators = map[token.Token][]string{
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.LAND: {"||"}, token.LOR: {"&&"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.AND_NOT: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.OR_ASSIGN: {"&="}, token.AND_ASSIGN: {"|="}, token.AND_NOT_ASSIGN: {"|="},
	token.INC: {"--"}, token.DEC: {"++"},
}

func (f *finder) operator(n ast.Node, at token.Pos, op token.Token) {
	from := f.offset(at)
	for _, other := range operators[op] {
		f.splice(n, from, from+len(op.String()), other)
	}
}

// look notes the mutants of one node.
func (f *finder) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		f.operator(n, n.OpPos, n.Op)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.change(n, f.textOf(n.X))
		}
	case *ast.BasicLit:
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil && n.Kind == token.INT {
			f.change(n, strconv.FormatInt(i+1, 10))
		}
	case *ast.Ident:
		f.truth(n)
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.SwitchStmt:
		f.cases(n)
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.FuncLit:
		f.returns(n.Type, n.Body)
	}
	return true
}

func (f *finder) truth(n *ast.Ident) {
	switch n.Name {
	case "true":
		f.change(n, "false")
	case "false":
		f.change(n, "true")
	}
}

// condition has a condition always and never hold. It is still evaluated.
func (f *finder) condition(n ast.Expr) {
	f.change(n, "("+f.textOf(n)+") || true")
	f.change(n, "("+f.textOf(n)+") && false")
}

func (f *finder) cases(n *ast.SwitchStmt) {
	for _, c := range n.Body.List {
		clause := c.(*ast.CaseClause)
		if n.Tag == nil && len(clause.List) == 1 {
			f.condition(clause.List[0])
		}
	}
}

// statements leaves each of them out that can be left out.
func (f *finder) statements(all []ast.Stmt) {
	for _, s := range all {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.BranchStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
			f.change(s, "")
		case *ast.IncDecStmt:
			f.change(s, "")
			f.operator(s, s.TokPos, s.Tok)
		case *ast.AssignStmt:
			f.assignment(s)
		}
	}
}

// assignment evaluates the right side of one, and does not assign it.
func (f *finder) assignment(s *ast.AssignStmt) {
	f.operator(s, s.TokPos, s.Tok)
	if s.Tok == token.DEFINE {
		return
	}
	blanks := strings.TrimSuffix(strings.Repeat("_, ", len(s.Lhs)), ", ")
	f.splice(s, f.offset(s.Pos()), f.offset(s.Rhs[0].Pos()), blanks+" = ")
}

// returns changes what a function returns. The functions inside it have returns of their own.
func (f *finder) returns(t *ast.FuncType, body *ast.BlockStmt) {
	var types []string
	if t.Results != nil {
		for _, r := range t.Results.List {
			for range max(1, len(r.Names)) {
				types = append(types, f.textOf(r.Type))
			}
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == len(types) {
			for i, e := range r.Results {
				f.result(types[i], e)
			}
		}
		_, inner := n.(*ast.FuncLit)
		return !inner
	})
}

func (f *finder) result(kind string, e ast.Expr) {
	text := f.textOf(e)
	other := ""
	switch {
	case text == "true" || text == "false": // truth looks at these
	case kind == "bool":
		other = "!(" + text + ")"
	case kind == "string" && text != `""`:
		other = `""`
	case kind == "int" || kind == "int64" || kind == "uint32":
		other = "(" + text + ") + 1"
	case kind == "error" || kind[0] == '*' || strings.HasPrefix(kind, "[]"):
		other = "nil"
	}
	if other != "" && other != text {
		f.change(e, other)
	}
}
