package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// draft is a proposal with what it was made of.
type draft struct {
	proposal
	Verb   string `json:"verb"`
	Denied int    `json:"denied"`
	Reason string `json:"reason"` // of one of the denials
	Doubt  bool   `json:"doubtful"`
}

// cell is what one grant may be about without permitting more than was asked for: one caller, one class, one verb or those that do no harm, and one limit.
type cell struct {
	who   caller
	class string
	doubt hal.Verb // hazard or administer; else observe, for all others
	where string   // of a limit, the parameter and its values; then one method alone
}

// corner is the part of a cell that one method has: the devices that it needs.
type corner struct {
	method  *hal.Method
	limits  map[string]limits
	devices []string
	count   int
	reason  string
}

// proposals makes grants of what was learned: as few as can be made without permitting a call that nothing like it was denied.
func (l *lessons) proposals() []draft {
	cells := map[cell]map[string]*corner{}
	for _, s := range slices.SortedFunc(maps.Keys(l.learned), compareSubjects) {
		l.learned[s].put(cells, s)
	}
	var all []draft
	for at, corners := range cells {
		all = append(all, at.merge(corners)...)
	}
	slices.SortFunc(all, func(a, b draft) int {
		return cmp.Or(cmp.Compare(a.whose(), b.whose()), compareBools(a.Doubt, b.Doubt), cmp.Compare(a.ID, b.ID), slices.Compare(a.Methods, b.Methods), slices.Compare(a.Devices, b.Devices))
	})
	for i := range all {
		all[i].ID = unused(all[i].ID, l.taken)
	}
	return all
}

func compareSubjects(a, b subject) int {
	return cmp.Or(cmp.Compare(a.who.UID, b.who.UID), cmp.Compare(a.who.Unit, b.who.Unit), cmp.Compare(a.method, b.method), cmp.Compare(a.device, b.device))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// put puts a lesson where it belongs: once for each parameter that has to be limited, or once without a limit where a denial had none.
func (e *lesson) put(cells map[cell]map[string]*corner, s subject) {
	at := cell{who: s.who, class: e.method.Class}
	if e.method.Verb >= hal.Hazard {
		at.doubt = e.method.Verb
	}
	if e.free {
		e.putOne(cells, at, s.device, nil)
		return
	}
	for _, parameter := range slices.Sorted(maps.Keys(e.outside)) {
		where := limitsOf(e.outside[parameter])
		at.where = fmt.Sprint(e.method.Name, parameter, where.toml())
		e.putOne(cells, at, s.device, map[string]limits{parameter: where})
	}
}

func (e *lesson) putOne(cells map[cell]map[string]*corner, at cell, device string, where map[string]limits) {
	if cells[at] == nil {
		cells[at] = map[string]*corner{}
	}
	c := cells[at][e.method.Name]
	if c == nil {
		c = &corner{method: e.method, limits: where, reason: e.reason}
		cells[at][e.method.Name] = c
	}
	if device != "" {
		c.devices = append(c.devices, device)
	}
	c.count += e.count
}

// merge makes one grant of all methods that need the same devices.
func (at cell) merge(corners map[string]*corner) []draft {
	groups := map[string]*draft{}
	methods := map[string][]*hal.Method{}
	for _, name := range slices.Sorted(maps.Keys(corners)) {
		c := corners[name]
		key := strings.Join(c.devices, " ")
		if groups[key] == nil {
			groups[key] = &draft{proposal: proposal{Devices: c.devices, Where: c.limits}, Reason: c.reason, Doubt: at.doubt >= hal.Hazard}
		}
		groups[key].Denied += c.count
		methods[key] = append(methods[key], c.method)
	}
	var all []draft
	for key, g := range groups {
		if at.who.Unit != "" {
			g.Units = []string{at.who.Unit}
		} else {
			g.Users = []int64{at.who.UID}
		}
		g.Verb = methods[key][0].Verb.String()
		g.call(methods[key])
		all = append(all, *g)
	}
	return all
}
