package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
)

func outOfTokens(g *grant, wait int64) string {
	return fmt.Sprintf("it is out of tokens: it allows %s with a burst of %d, again in %d ms", g.Rate, g.Rate.Burst, milliseconds(wait))
}

// maxReason is how long a reason may be, in bytes.
const maxReason = 1000

func shorten(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// stranger says why a grant is not for somebody.
func stranger(g *config.Grant, id *Identity) string {
	uid := "uid " + strconv.FormatUint(uint64(id.UID), 10)
	switch {
	case isNobody(id.UID):
		return uid + " is nobody, whom no grant matches"
	case !usersMatch(g, id):
		return "it is for users " + some(g.Users.Text) + ", and the caller is " + uid
	case !groupsMatch(g, id):
		return "it is for groups " + some(g.Groups.Text) + ", and the caller is in " + groupWords(id)
	case !listed(g.Units, id.unit()):
		return "it is for units " + some(g.Units) + ", and the caller is in " + nameWords(id.unit(), id)
	}
	return "it is for labels " + some(g.Labels) + ", and the caller has " + nameWords(id.label(), id)
}

// maxListed is how many names of a list are given in a reason.
const maxListed = 8

// some lists names, of many only the first.
func some(all []string) string {
	if len(all) > maxListed {
		return strings.Join(all[:maxListed], ", ") + ", …"
	}
	return strings.Join(all, ", ")
}

func patternWords(g *config.Grant) string {
	var all []string
	for _, p := range g.Devices {
		all = append(all, p.String())
	}
	return some(all)
}

func verbWords(verbs []hal.Verb) []string {
	var all []string
	for _, v := range verbs {
		all = append(all, v.String())
	}
	return all
}

func groupWords(id *Identity) string {
	var all []string
	id.groups(func(gid uint32) { all = append(all, strconv.FormatUint(uint64(gid), 10)) })
	switch {
	case all == nil:
		return "none"
	case id.Datagram:
		return "group " + all[0] + ", the one that counts on datagrams"
	}
	return "groups " + some(all)
}

func nameWords(name string, id *Identity) string {
	switch {
	case id.Datagram:
		return "none that a datagram could show"
	case name == "":
		return "none"
	}
	return name
}

// conditions puts what a grant asks beside the method into words.
func conditions(g *grant) string {
	words := ""
	if g.Devices != nil {
		words += ", for devices " + patternWords(g.Grant)
	}
	if g.where != nil {
		words += ", where " + strings.Join(g.where, " and ")
	}
	if g.Rate.Count > 0 {
		words += fmt.Sprintf(", at most %s with a burst of %d", g.Rate, g.Rate.Burst)
	}
	return words
}
