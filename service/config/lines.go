package config

import (
	"strconv"
	"strings"
)

// maxNesting is how deep tables and arrays may stand in each other.
const maxNesting = 16

// lines says on which line each key, table and array element of a TOML text stands. Its paths are those of errors: grant[0].where.brightness. A name with a dot, a bracket or a
// quote in it stands in quotes.
type lines map[string]int

// of gives the line of a path, or of the nearest thing around it.
func (l lines) of(path string) int {
	for {
		if line, ok := l[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 1
		}
		path = path[:cut]
	}
}

// under is the path of a key in a table.
func under(path, key string) string {
	if key == "" || strings.ContainsAny(key, ".[]\"") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// at is the path of an array's element.
func at(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }

// scan finds the lines of a text. It takes the text to be TOML, which somebody else checks; of anything else it says nothing useful, but neither does it fail. What is
// nested too deep is noted in deep, as a line, and not looked into.
type scan struct {
	text   string
	pos    int
	line   int
	found  lines
	tables map[string]int // how many [[tables]] of a path there were
	deep   int
}

// scanLines gives the index of a text, and the first line that is nested too deep, or 0.
func scanLines(text string) (lines, int) {
	s := &scan{text: text, line: 1, found: lines{}, tables: map[string]int{}}
	current := ""
	for s.blank(); s.pos < len(s.text); s.blank() {
		from := s.pos
		if s.peek() == '[' {
			current = s.header()
		} else {
			s.member(current, 1)
		}
		if s.pos == from {
			s.step()
		}
	}
	return s.found, s.deep
}

func (s *scan) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// step goes one byte further and counts lines.
func (s *scan) step() {
	if s.peek() == '\n' {
		s.line++
	}
	s.pos++
}

func (s *scan) take(prefix string) bool {
	if !strings.HasPrefix(s.text[s.pos:], prefix) {
		return false
	}
	for range len(prefix) {
		s.step()
	}
	return true
}

// space skips what may stand between the parts of a line.
func (s *scan) space() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.pos++
	}
}

// blank skips spaces, comments and line ends.
func (s *scan) blank() {
	for s.pos < len(s.text) {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.step()
		case '#':
			for s.pos < len(s.text) && s.peek() != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

func (s *scan) note(path string, line int) {
	if _, known := s.found[path]; !known {
		s.found[path] = line
	}
}

func (s *scan) tooDeep(line int) {
	if s.deep == 0 {
		s.deep = line
	}
}

// header reads [a.b] or [[a.b]], and gives the path that the keys below it are in.
func (s *scan) header() string {
	line := s.line
	s.step()
	array := s.take("[")
	parts := s.key()
	s.space()
	s.take("]")
	if array {
		s.take("]")
	}
	path := ""
	for i, part := range parts {
		path = under(path, part)
		s.note(path, line)
		if array && i == len(parts)-1 {
			s.tables[path]++
		}
		if n := s.tables[path]; n > 0 {
			path = at(path, n-1)
			s.note(path, line)
		}
	}
	return path
}

// key reads the parts of a key: a."b".c
func (s *scan) key() []string {
	var parts []string
	for {
		s.space()
		parts = append(parts, s.part())
		if len(parts) > maxNesting {
			s.tooDeep(s.line)
			parts = parts[:maxNesting]
		}
		s.space()
		if !s.take(".") {
			return parts
		}
	}
}

func (s *scan) part() string {
	from := s.pos
	switch s.peek() {
	case '"':
		s.quoted('"')
		return unescape(s.text[from:s.pos])
	case '\'':
		s.quoted('\'')
		return strings.Trim(s.text[from:s.pos], "'")
	}
	for s.pos < len(s.text) && !strings.ContainsRune(" \t\r\n.=[]{},#\"'", rune(s.peek())) {
		s.pos++
	}
	return s.text[from:s.pos]
}

// unescape takes the quotes off a key. What an escape means is for the library to say.
func unescape(quoted string) string {
	if strings.Contains(quoted, `\`) {
		values, _ := parse(quoted + " = 0")
		for name := range values {
			return name
		}
	}
	return strings.Trim(quoted, `"`)
}

// member reads a key and its value.
func (s *scan) member(path string, depth int) {
	line := s.line
	for _, part := range s.key() {
		path = under(path, part)
		s.note(path, line)
		depth++
	}
	s.space()
	if s.take("=") {
		s.space()
		s.value(path, depth)
	}
}

func (s *scan) value(path string, depth int) {
	if depth > maxNesting {
		s.tooDeep(s.line)
		s.word()
		return
	}
	switch s.peek() {
	case '"', '\'':
		s.str()
	case '[':
		s.array(path, depth)
	case '{':
		s.table(path, depth)
	default:
		s.word()
	}
}

// word reads a number, a date or a boolean.
func (s *scan) word() {
	for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.peek())) {
		s.pos++
	}
}

func (s *scan) array(path string, depth int) {
	s.step()
	for i := 0; ; i++ {
		s.blank()
		if s.take("]") || s.pos == len(s.text) {
			return
		}
		from := s.pos
		s.note(at(path, i), s.line)
		s.value(at(path, i), depth+1)
		s.blank()
		if !s.take(",") && s.pos == from {
			s.step()
		}
	}
}

func (s *scan) table(path string, depth int) {
	s.step()
	for {
		s.blank()
		if s.take("}") || s.pos == len(s.text) {
			return
		}
		from := s.pos
		s.member(path, depth)
		s.blank()
		if !s.take(",") && s.pos == from {
			s.step()
		}
	}
}

// str reads a string of any of the four kinds.
func (s *scan) str() {
	quote := s.peek()
	long := strings.Repeat(string(quote), 3)
	if !s.take(long) {
		s.quoted(quote)
		return
	}
	for s.pos < len(s.text) {
		if s.take(long) {
			for s.peek() == quote { // up to two more belong to the string
				s.pos++
			}
			return
		}
		s.character(quote)
	}
}

// quoted reads a string of one line.
func (s *scan) quoted(quote byte) {
	s.step()
	for s.pos < len(s.text) && s.peek() != '\n' {
		if s.peek() == quote {
			s.pos++
			return
		}
		s.character(quote)
	}
}

// character reads one byte of a string, or a backslash with what it escapes.
func (s *scan) character(quote byte) {
	if quote == '"' && s.peek() == '\\' {
		s.step()
	}
	if s.pos < len(s.text) {
		s.step()
	}
}
