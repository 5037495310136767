package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// again is how often claimed devices are claimed again, so that they are this program's after a restart of the daemon, too.
const again = time.Second

// claim takes devices, and keeps them until it is interrupted.
func (p *program) claim(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return &usageError{"claim CLASS/DEVICE..."}
	}
	said := false
	for {
		if _, err := p.invoke(ctx, "io.halberd.Board.Claim", map[string]any{"devices": args}); err != nil {
			return interrupted(ctx, err)
		}
		if !said {
			fmt.Fprintln(p.stderr, "claimed until this program ends: Ctrl-C")
			said = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// interrupted takes the error away that only says that the user has enough.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// release ends anybody's claims.
func (p *program) release(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return &usageError{"release CLASS/DEVICE..."}
	}
	for _, device := range args {
		if _, err := p.invoke(ctx, "io.halberd.Board.ForceRelease", map[string]any{"device": device}); err != nil {
			return err
		}
	}
	return nil
}

// held is a device that somebody has for itself.
type held struct {
	Device, Kind string
	UID, PID     int64
	Ended        bool
}

// process is the process that connected. Of a claim that waits for its user after a restart of the daemon there is none.
func (h *held) process() string {
	if h.PID == 0 {
		return "-"
	}
	return strconv.FormatInt(h.PID, 10)
}

func (h *held) state() string {
	switch {
	case !h.Ended:
		return "held"
	case h.Kind == "lease":
		return "ended, and not returned"
	}
	return "ending"
}

func (p *program) holders(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return &usageError{"holders"}
	}
	t := p.table("DEVICE", "KIND", "UID", "PID", "STATE")
	in := map[string]any{}
	for {
		reply, err := p.invoke(ctx, "io.halberd.Board.Holders", in)
		if err != nil {
			return err
		}
		var page struct {
			Holders []json.RawMessage
			Next    string
		}
		if err := json.Unmarshal(reply, &page); err != nil {
			return err
		}
		for _, raw := range page.Holders {
			var h held
			if err := json.Unmarshal(raw, &h); err != nil {
				return err
			}
			t.row(raw, h.Device, h.Kind, strconv.FormatInt(h.UID, 10), h.process(), h.state())
		}
		if page.Next == "" {
			return t.flush()
		}
		in["after"] = page.Next
	}
}
