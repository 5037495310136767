package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is one TOML file, with what turned out to be wrong with it.
type document struct {
	name     string // as messages have it
	lines    lines
	faults   []*Error
	warnings []Warning
}

// open reads a TOML text. Without a table there is an error in the document, and nothing more to say about it.
func open(name, text string) (*document, *table) {
	d := &document{name: name}
	text = strings.TrimPrefix(text, "\uFEFF")
	if line, what := checkText(text); what != "" {
		d.faults = append(d.faults, &Error{name, line, what})
		return d, nil
	}
	found, deep := scanLines(text)
	if deep > 0 {
		d.faults = append(d.faults, &Error{name, deep, fmt.Sprintf("must not be nested deeper than %d", maxNesting)})
		return d, nil
	}
	values, err := parse(text)
	if err != nil {
		d.faults = append(d.faults, syntaxError(name, err))
		return d, nil
	}
	d.lines = found
	return d, &table{doc: d, values: values}
}

// parse hands the text to the TOML library. It panics where it has a bug, which must not end a daemon that is asked to reload.
func parse(text string) (values map[string]any, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = fmt.Errorf("cannot be read: %v", bug)
		}
	}()
	_, err = toml.Decode(text, &values)
	return values, err
}

func syntaxError(name string, err error) *Error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return &Error{name, max(1, parse.Position.Line), parse.Message}
	}
	return &Error{name, 1, err.Error()}
}

// fail notes an error at a path.
func (d *document) fail(path, format string, args ...any) {
	d.faults = append(d.faults, &Error{d.name, d.lines.of(path), fmt.Sprintf(format, args...)})
}

// warn notes a warning at a path.
func (d *document) warn(path, format string, args ...any) {
	d.warnings = append(d.warnings, Warning{d.name, d.lines.of(path), fmt.Sprintf(format, args...)})
}
