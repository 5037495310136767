package policy

import (
	"fmt"
	"sort"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

// maxCached is how many snapshots, and how many views, a policy keeps for peers to come.
const maxCached = 4096

// maxGroups is how many groups a peer may have whose snapshot is kept for others to come. Who has a range of /etc/subgid can be in 65,536 of them, and in others each time.
const maxGroups = 256

// Policy is the grants of one load, compiled. Only its caches and the token buckets change.
type Policy struct {
	generation int64
	grants     []*grant
	methods    []*hal.Method // of the catalog, by Index
	open       []bool        // by Index
	buckets    *buckets
	subUIDs    config.SubUIDs

	users, groups intervals
	units, labels map[string][]int32

	needsUnits, needsLabels bool

	snapshots map[string]*Snapshot
	views     map[string]*view
	key       []byte
	decision  decision
}

// grant is a grant with what is worked out once.
type grant struct {
	*config.Grant
	index  int
	covers methods  // by method
	bucket int64    // the number of its limit, where it has a rate
	where  []string // its limits in words
	same   string   // equal for grants with equal limits
}

// methods is a set of methods, by Index.
type methods []uint64

// noMethods is an empty set for so many methods.
func noMethods(n int) methods { return make(methods, (n+63)/64) }

func (b methods) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b methods) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b methods) add(other methods) {
	for i := range b {
		b[i] |= other[i]
	}
}

// Compile makes a policy of the grants that were read. The token buckets of grants that have the same id and rate as before are carried over from the previous policy, which may be nil, so that a
// reload does not refill them. The files and the catalog must not be changed afterwards.
func Compile(files *config.PolicyFiles, cat *hal.Catalog, generation int64, previous *Policy) *Policy {
	p := &Policy{
		generation: generation, methods: cat.Methods(), subUIDs: files.SubUIDs,
		units: map[string][]int32{}, labels: map[string][]int32{},
		snapshots: map[string]*Snapshot{}, views: map[string]*view{},
	}
	for _, m := range p.methods {
		p.open = append(p.open, IsOpen(m))
	}
	for i := range files.Grants {
		p.add(&files.Grants[i], cat)
	}
	p.users.build()
	p.groups.build()
	p.share(previous)
	return p
}

// add takes a grant in, and indexes it by the first identity key that it has: a peer that does not match there does not match at all.
func (p *Policy) add(from *config.Grant, cat *hal.Catalog) {
	g := &grant{Grant: from, index: len(p.grants), covers: noMethods(len(p.methods)), where: whereWords(from), same: fmt.Sprintf("%#v", from.Where)}
	from.Each(cat, func(m *hal.Method) bool {
		if !p.open[m.Index] && from.Covers(m) {
			g.covers.set(m.Index)
		}
		return true
	})
	p.grants = append(p.grants, g)
	p.needsUnits = p.needsUnits || from.Units != nil
	p.needsLabels = p.needsLabels || from.Labels != nil
	switch {
	case from.Users.Given:
		for _, r := range from.Users.Ranges {
			p.users.add(r, g.index)
		}
	case from.Groups.Given:
		for _, r := range from.Groups.Ranges {
			p.groups.add(r, g.index)
		}
	case from.Units != nil:
		index(p.units, from.Units, g.index)
	default:
		index(p.labels, from.Labels, g.index)
	}
}

func index(by map[string][]int32, names []string, grant int) {
	for _, name := range names {
		by[name] = append(by[name], int32(grant))
	}
}

// share gives the grants with a rate their buckets.
func (p *Policy) share(previous *Policy) {
	p.buckets = newBuckets()
	if previous != nil {
		p.buckets = previous.buckets
	}
	var rated []*grant
	var keys []limitKey
	for _, g := range p.grants {
		if g.Rate.Count > 0 {
			rated, keys = append(rated, g), append(keys, limitKey{g.ID, g.Rate})
		}
	}
	for i, n := range p.buckets.number(keys) {
		rated[i].bucket = n
	}
}

// Generation is the number that the policy was compiled with.
func (p *Policy) Generation() int64 { return p.generation }

// Len is how many grants there are.
func (p *Policy) Len() int { return len(p.grants) }

// NeedsUnits reports whether any grant asks for the peer's unit. Where none does, Identity.Unit may be left out.
func (p *Policy) NeedsUnits() bool { return p.needsUnits }

// NeedsLabels reports whether any grant asks for the peer's label. Where none does, Identity.Label may be left out.
func (p *Policy) NeedsLabels() bool { return p.needsLabels }

// Snapshot gives the policy for one peer. Equal identities share one, where they have not very many groups, and those for whom the same grants count share most of it.
func (p *Policy) Snapshot(id Identity) *Snapshot {
	if !p.needsUnits {
		id.Unit = ""
	}
	if !p.needsLabels {
		id.Label = ""
	}
	if len(id.Groups) > maxGroups {
		return p.snapshot(&id)
	}
	p.key = id.appendKey(p.key[:0])
	if s := p.snapshots[string(p.key)]; s != nil {
		return s
	}
	if len(p.snapshots) >= maxCached {
		clear(p.snapshots)
	}
	s := p.snapshot(&id)
	p.snapshots[string(p.key)] = s
	return s
}

// snapshot makes a snapshot that nobody else has.
func (p *Policy) snapshot(id *Identity) *Snapshot {
	return &Snapshot{policy: p, uid: id.UID, account: p.subUIDs.Owner(id.UID), view: p.viewOf(p.matching(id))}
}

// matching lists the grants whose identity matches, in their order.
func (p *Policy) matching(id *Identity) []*grant {
	found := map[int32]bool{} // each once, however many groups of the peer it is for
	collect := func(g int32) { found[g] = true }
	p.users.find(id.UID, collect)
	id.groups(func(gid uint32) { p.groups.find(gid, collect) })
	for _, g := range p.units[id.unit()] {
		collect(g)
	}
	for _, g := range p.labels[id.label()] {
		collect(g)
	}
	all := make([]*grant, 0, len(found))
	for g := range found {
		if matches(p.grants[g].Grant, id) {
			all = append(all, p.grants[g])
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].index < all[j].index })
	return all
}

// knows reports whether a method is of the catalog that the policy was compiled for.
func (p *Policy) knows(m *hal.Method) bool {
	return m.Index < len(p.methods) && p.methods[m.Index] == m
}

// isOpen is IsOpen, looked up.
func (p *Policy) isOpen(m *hal.Method) bool {
	if p.knows(m) {
		return p.open[m.Index]
	}
	return IsOpen(m)
}

// whereWords puts a grant's limits into words.
func whereWords(g *config.Grant) []string {
	var words []string
	for i := range g.Where {
		words = append(words, g.Where[i].String())
	}
	return words
}
