package state

import (
	"bytes"
	"sync"
)

// Memory keeps state as long as the process lives, for a simulated board and for tests. It implements hal.State; any goroutine may use it. The zero value is ready.
type Memory struct {
	mu   sync.Mutex
	data map[string][]byte
}

// Load gives what was saved last under a name, or nil where nothing was.
func (m *Memory) Load(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkName(name); err != nil {
		return nil, err
	}
	return bytes.Clone(m.data[name]), nil
}

// Save keeps a copy of data under a name.
func (m *Memory) Save(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkSave(name, data); err != nil {
		return err
	}
	if m.data == nil {
		m.data = map[string][]byte{}
	}
	m.data[name] = append([]byte{}, data...)
	return nil
}
