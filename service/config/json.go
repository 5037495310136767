package config

import (
	"math"
	"sort"
	"strconv"

	"github.com/halberd-io/halberd/hal/wire"
)

// appendJSON appends a TOML value as JSON, which the strict decoder of messages then reads. What JSON has no word for is noted as an error, and null written.
func (d *document) appendJSON(dst []byte, path string, v any) []byte {
	switch v := v.(type) {
	case string:
		return wire.AppendString(dst, v)
	case int64:
		return wire.AppendInt(dst, v)
	case bool:
		return wire.AppendBool(dst, v)
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return strconv.AppendFloat(dst, v, 'e', -1, 64)
		}
	case map[string]any:
		return d.appendObject(dst, path, v)
	case []any:
		return appendArray(d, dst, path, v)
	case []map[string]any:
		return appendArray(d, dst, path, v)
	}
	d.fail(path, "must not be %s", kindOf(v))
	return append(dst, "null"...)
}

func appendArray[T any](d *document, dst []byte, path string, list []T) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.appendJSON(dst, at(path, i), v)
	}
	return append(dst, ']')
}

func (d *document) appendObject(dst []byte, path string, values map[string]any) []byte {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendString(dst, key), ':')
		dst = d.appendJSON(dst, under(path, key), values[key])
	}
	return append(dst, '}')
}
