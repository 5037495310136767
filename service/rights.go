package service

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/policy"
)

// maxGroups is how many groups the kernel lets a process have.
const maxGroups = 65536

// whoAmI is the caller as the kernel sees it.
type whoAmI struct {
	uid, gid    int64
	groups      []int64
	unit, label hal.Opt[string]
	transport   string
}

var transports = []string{peer.Stream.String(), peer.Seqpacket.String(), peer.Datagram.String()}

func (p *whoAmI) Fields(f *hal.Fields) {
	f.Int("uid", &p.uid, hal.Unitless, "The user: at connect the effective one; of a datagram the real one.")
	f.Int("gid", &p.gid, hal.Unitless, "The primary group.")
	f.Ints("groups", &p.groups, 0, maxGroups, hal.Unitless, "The supplementary groups; of a datagram none are known.")
	f.OptText("unit", &p.unit, "The systemd unit, where a grant names units.")
	f.OptText("label", &p.label, "The label of the security module.")
	f.Enum("transport", &p.transport, transports, "The kind of socket.")
}

// question asks whether a call would be permitted.
type question struct {
	method     string
	parameters wire.Value
}

func (p *question) Fields(f *hal.Fields) {
	f.Text("method", &p.method, "The full name of a method.")
	f.OptRaw("parameters", &p.parameters, "Its parameters. Without them the answer is about the method alone.")
}

// answer says whether it would be.
type answer struct {
	allowed bool
	grant   hal.Opt[string]
	reason  string
}

func (p *answer) Fields(f *hal.Fields) {
	f.Bool("allowed", &p.allowed, "Whether the call would be permitted.")
	f.OptText("grant", &p.grant, "The grant that permits it, or the one that came nearest.")
	f.Text("reason", &p.reason, "Why, for a person.")
}

// explanation is an answer for an administrator.
type explanation struct {
	answer
	file hal.Opt[string]
	line hal.Opt[int64]
}

func (p *explanation) Fields(f *hal.Fields) {
	p.answer.Fields(f)
	f.OptText("file", &p.file, "Where the grant stands.")
	f.OptInt("line", &p.line, hal.Unitless, "On which line.")
}

// supposed is an identity to explain a call for.
type supposed struct {
	uid         int64
	gid         hal.Opt[int64]
	groups      hal.Opt[[]int64]
	unit, label hal.Opt[string]
	question
}

func (p *supposed) Fields(f *hal.Fields) {
	f.IntIn("uid", &p.uid, 0, math.MaxUint32, hal.Unitless, "The user.")
	f.OptIntIn("gid", &p.gid, 0, math.MaxUint32, hal.Unitless, "The primary group; the user's number where left out.")
	f.OptInts("groups", &p.groups, 0, 1024, hal.Unitless, "The supplementary groups.")
	f.OptText("unit", &p.unit, "The systemd unit.")
	f.OptText("label", &p.label, "The label of the security module.")
	p.question.Fields(f)
}

// grant is one of the caller's grants.
type grant struct {
	id, rate                       string
	burst                          hal.Opt[int64]
	methods, verbs, devices, where []string
}

func (p *grant) Fields(f *hal.Fields) {
	f.Text("id", &p.id, "The grant's ID.")
	f.Texts("methods", &p.methods, 0, 1024, "Methods that it covers; none: those of its verbs.")
	f.Texts("verbs", &p.verbs, 0, 5, "Verbs that it covers; none: those of its methods.")
	f.Texts("devices", &p.devices, 0, 1024, "Devices that it covers; none: methods without a device.")
	f.Texts("where", &p.where, 0, 64, "Its limits on parameters, in words.")
	f.Text("rate", &p.rate, "How often, as text.")
	f.OptInt("burst", &p.burst, hal.Unitless, "With a rate: how many calls at once, after a pause.")
}

// ownGrants are the caller's grants.
type ownGrants struct {
	grants []grant
	next   hal.Opt[string]
}

func (p *ownGrants) Fields(f *hal.Fields) {
	hal.Each(f, "grants", &p.grants, 0, math.MaxInt32, "The caller's grants, in the order of the files.")
	f.OptText("next", &p.next, "There are more: call again with this as after.")
}

// afterIn asks for a page.
type afterIn struct{ after hal.Opt[string] }

func (p *afterIn) Fields(f *hal.Fields) {
	f.OptText("after", &p.after, "Go on behind this grant.")
}

// status is what Halberd says about itself.
type status struct {
	version                        string
	generation, grants             int64
	connections, dropped, uptimeMS int64
	files, warnings                []string
	reloadError                    hal.Opt[string]
	boardChanged                   bool
	queuedBytes, unrecorded        int64
	uids                           []usage
}

func (p *status) Fields(f *hal.Fields) {
	f.Text("version", &p.version, "The daemon's version.")
	f.Int("uptimeMSec", &p.uptimeMS, hal.Milliseconds, "How long it runs.")
	f.Int("generation", &p.generation, hal.Unitless, "Counts the policies in force since the start.")
	f.Int("grants", &p.grants, hal.Unitless, "How many grants the policy in force has.")
	f.Texts("files", &p.files, 0, 1024, "The files that it was read from.")
	f.Texts("warnings", &p.warnings, 0, 1024, "What matches nobody, as names that do not resolve.")
	f.OptText("reloadError", &p.reloadError, "Why the last reload failed. Then an older policy is in force.")
	f.Bool("boardChanged", &p.boardChanged, "Whether board.toml changed since the start: that needs a restart.")
	f.Int("connections", &p.connections, hal.Unitless, "How many are open.")
	f.Int("dropped", &p.dropped, hal.Unitless, "How many connections and datagrams were dropped, for breaking the protocol or a limit.")
	f.Int("queuedBytes", &p.queuedBytes, hal.Bytes, "What waits here of all uids: messages that did not come whole, and replies that nobody takes.")
	f.Int("unrecorded", &p.unrecorded, hal.Unitless, "How many denials the audit has no record of since the start, because there were too many: the records that follow tell whose they were.")
	hal.Each(f, "uids", &p.uids, 0, maxUsages, "What uids have of the daemon, those with the most connections first.")
}

// maxUsages is how many uids Status tells about.
const maxUsages = 64

// usage is what a uid has of the daemon.
type usage struct{ uid, connections, watched, bytes int64 }

func (p *usage) Fields(f *hal.Fields) {
	f.Int("uid", &p.uid, hal.Unitless, "The user.")
	f.Int("connections", &p.connections, hal.Unitless, "How many are open.")
	f.Int("watchedDevices", &p.watched, hal.Unitless, "How many devices are watched.")
	f.Int("queuedBytes", &p.bytes, hal.Bytes, "What waits here.")
}

// usages are those of the accounts with the most connections.
func (s *Server) usages() []usage {
	all := make([]usage, 0, len(s.accounts))
	for _, a := range s.accounts {
		all = append(all, usage{int64(a.uid), int64(a.connections), int64(a.watched), int64(a.bytes)})
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		return a.connections > b.connections || a.connections == b.connections && a.uid < b.uid
	})
	return all[:min(len(all), maxUsages)]
}

// policyClass is io.halberd.Policy.
func (s *Server) policyClass() *hal.Class {
	return &hal.Class{Name: "Policy", Doc: "Who may do what.", Methods: []*hal.Method{
		hal.Plain(hal.Observe, "WhoAmI", "Says who the caller is, as the kernel told.", s.whoAmI),
		hal.Plain(hal.Observe, "Check", "Says whether the caller may make a call. It takes no token of a rate.", s.check),
		hal.Plain(hal.Observe, "Grants", "Lists the caller's own grants.", s.ownGrants),
		hal.Plain(hal.Administer, "Explain", "Says for any identity which grant permits a call, or which came nearest and the first thing in it that did not match.", s.explain),
		hal.Plain(hal.Administer, "Reload", "Reads the policy anew, all or nothing.", s.reloadCall),
		hal.Plain(hal.Administer, "Status", "Says what is in force.", s.status),
		s.auditMethod(),
	}}
}

func (s *Server) whoAmI(h hal.Holder, _ *hal.None, out *whoAmI) error {
	c := callerOf(h)
	*out = whoAmI{uid: int64(c.cred.UID), gid: int64(c.cred.GID), transport: c.cred.Transport.String(),
		unit: given(c.unitName()), label: given(c.cred.Label)}
	for _, g := range c.cred.Groups {
		out.groups = append(out.groups, int64(g))
	}
	return nil
}

// given makes an optional field of a string that may be empty.
func given(s string) hal.Opt[string] { return hal.Opt[string]{Value: s, Set: s != ""} }

// decode reads the call that a question is about. Without parameters there is a method and no call.
func (s *Server) decode(q *question) (*hal.Method, *hal.Call, error) {
	m := s.catalog.Method([]byte(q.method))
	if m == nil {
		return nil, nil, &hal.InvalidParameter{Parameter: "method", What: "there is no such method"}
	}
	if q.parameters == nil {
		return m, nil, nil
	}
	call, err := m.Decode(q.parameters)
	if invalid, ok := err.(*hal.InvalidParameter); ok {
		return nil, nil, &hal.InvalidParameter{Parameter: "parameters." + invalid.Parameter, What: invalid.What}
	}
	return m, call, err
}

func (s *Server) check(h hal.Holder, in *question, out *answer) error {
	c := callerOf(h)
	rights := c.rights()
	m := s.catalog.Method([]byte(in.method))
	if m == nil {
		out.reason = "there is no method " + in.method
		return nil
	}
	if !rights.Covers(m) {
		out.reason = c.policy.DeniedMethod(rights, m).Reason
		return nil
	}
	_, call, err := s.decode(in)
	if err != nil {
		return err
	}
	if call == nil {
		*out = answer{allowed: true, reason: "a grant covers the method; the parameters decide"}
		if len(m.In) == 0 {
			out.reason = "a grant covers the method"
		}
		return nil
	}
	*out = answerOf(rights.Check(call))
	call.Release()
	return nil
}

func answerOf(v policy.Verdict) answer {
	return answer{allowed: v.Allowed, grant: given(v.Grant), reason: v.Reason}
}

func (s *Server) ownGrants(h hal.Holder, in *afterIn, out *ownGrants) error {
	skip, size := in.after.Set, 0
	for _, g := range callerOf(h).rights().Grants() {
		if skip {
			skip = g.ID != in.after.Value
			continue
		}
		view := grant{g.ID, g.Rate, hal.Opt[int64]{Value: g.Burst, Set: g.Burst > 0},
			someOf(slices.Clone(g.Methods), maxNames), g.Verbs, someOf(g.Devices, maxNames), someOf(slices.Clone(g.Where), maxNames)}
		size += len(hal.Encode(nil, &view))
		if size > maxDatagramReply-1024 && len(out.grants) > 0 {
			out.next = hal.Some(out.grants[len(out.grants)-1].id)
			return nil
		}
		out.grants = append(out.grants, view)
	}
	return nil
}

func (s *Server) explain(_ hal.Holder, in *supposed, out *explanation) error {
	m, call, err := s.decode(&in.question)
	if err != nil {
		return err
	}
	id := policy.Identity{UID: uint32(in.uid), GID: uint32(in.gid.Or(in.uid)), Unit: in.unit.Value, Label: in.label.Value}
	for i, g := range in.groups.Value {
		if g < 0 || g > math.MaxUint32 {
			return &hal.InvalidParameter{Parameter: fmt.Sprintf("groups[%d]", i), What: "must be a group's number"}
		}
		id.Groups = append(id.Groups, uint32(g))
	}
	v := s.policy.Explain(id, m, call)
	if call != nil {
		call.Release()
	}
	out.answer = answerOf(v)
	out.file = given(v.File)
	out.line = hal.Opt[int64]{Value: int64(v.Line), Set: v.Line > 0}
	return nil
}

// reloaded is what a reload put in force.
type reloaded struct {
	generation   int64
	warnings     []string
	boardChanged bool
}

func (p *reloaded) Fields(f *hal.Fields) {
	f.Int("generation", &p.generation, hal.Unitless, "Counts the policies in force since the start.")
	f.Texts("warnings", &p.warnings, 0, 1024, "What matches nobody, as names that do not resolve.")
	f.Bool("boardChanged", &p.boardChanged, "Whether board.toml changed since the start: it is not read again, and needs a restart.")
}

func (s *Server) reloadCall(_ hal.Holder, _ *hal.None, out *reloaded) error {
	if err := s.reload(); err != nil {
		return &hal.BadConfiguration{Reason: shortened(err.Error(), maxReason)}
	}
	*out = reloaded{s.generation, s.warnings(), s.boardChanged()}
	return nil
}

func (s *Server) warnings() []string {
	var all []string
	for _, w := range s.files.Warnings {
		all = append(all, w.String())
	}
	return someOf(all, maxWarnings)
}

// How many bytes of a reply some texts may have, so that the smallest reply has room for all that Status says, and for any grant: what a reload did has to be told.
const (
	maxReason      = 24 << 10
	maxReloadError = 4 << 10
	maxWarnings    = 12 << 10
	maxFiles       = 6 << 10
	maxNames       = 8 << 10 // methods, devices or limits of one grant
	maxText        = 1 << 10 // one of them
)

// someOf are the first of some texts, as many as there is room for in a reply, and how many more there are.
func someOf(all []string, room int) []string {
	for i, text := range all {
		text = shortened(text, maxText)
		if room -= encoded(text) + 1; room < 0 {
			return append(all[:i:i], fmt.Sprintf("… and %d more", len(all)-i))
		}
		all[i] = text
	}
	return all
}

// shortened is as much of a text as there is room for in a reply.
func shortened(text string, room int) string {
	if encoded(text) <= room {
		return text
	}
	for encoded(text) > room {
		text = text[:len(text)*3/4]
	}
	return strings.ToValidUTF8(text, "") + "…"
}

// encoded is how long a text is in a reply, in bytes.
func encoded(text string) int { return len(wire.AppendString(nil, text)) }

func (s *Server) boardChanged() bool { return s.config.BoardChanged != nil && s.config.BoardChanged() }

func (s *Server) status(_ hal.Holder, _ *hal.None, out *status) error {
	*out = status{version: s.version, generation: s.generation, grants: int64(len(s.files.Grants)), files: someOf(slices.Clone(s.files.Files), maxFiles),
		connections: int64(len(s.conns)), dropped: int64(s.dropped), uptimeMS: sinceMSec(s.started),
		warnings: s.warnings(), boardChanged: s.boardChanged(), queuedBytes: int64(s.bytes), unrecorded: s.audit.Unrecorded(), uids: s.usages()}
	if s.reloadErr != nil {
		out.reloadError = hal.Some(shortened(s.reloadErr.Error(), maxReloadError))
	}
	return nil
}

func sinceMSec(t time.Time) int64 { return time.Since(t).Milliseconds() }
