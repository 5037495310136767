package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// completion prints a script that completes commands, methods, and the devices that the daemon lists.
func (p *program) completion(_ context.Context, args []string) error {
	scripts := map[string]string{"bash": bashScript, "zsh": "autoload -Uz bashcompinit && bashcompinit\n" + bashScript, "fish": fishScript}
	if len(args) != 1 || scripts[args[0]] == "" {
		return &usageError{"completion bash|zsh|fish"}
	}
	var words, cases, fish strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&words, " %s", c.name)
		fmt.Fprintf(&fish, "complete -c halctl -n __fish_use_subcommand -a %s -d %q\n", c.name, c.doc)
	}
	methods := map[string][]string{}
	for _, m := range deviceMethods() {
		class := strings.ToLower(m.Class)
		methods[class] = append(methods[class], commandName(m.Name))
	}
	classes := make([]string, 0, len(methods))
	for class := range methods {
		classes = append(classes, class)
	}
	sort.Strings(classes)
	for _, class := range classes {
		fmt.Fprintf(&words, " %s", class)
		list := strings.Join(methods[class], " ")
		fmt.Fprintf(&cases, "\t\t%s) words=%q ;;\n", class, list)
		fmt.Fprintf(&fish, "complete -c halctl -n __fish_use_subcommand -a %s\n", class)
		fmt.Fprintf(&fish, "complete -c halctl -n '__fish_seen_subcommand_from %s' -a %q\n", class, list)
	}
	script := strings.NewReplacer("@WORDS@", strings.TrimSpace(words.String()), "@CASES@", cases.String(), "@FISH@", fish.String()).Replace(scripts[args[0]])
	_, err := fmt.Fprint(p.stdout, script)
	return err
}

const bashScript = `# Completion of halctl.
_halctl() {
	local words="" at=1 current="${COMP_WORDS[COMP_CWORD]}"
	while [[ "${COMP_WORDS[at]}" == -* && $at -lt $COMP_CWORD ]]; do
		[[ "${COMP_WORDS[at]}" == -a ]] && at=$((at + 1))
		at=$((at + 1))
	done
	case $((COMP_CWORD - at)) in
	0) words="@WORDS@" ;;
	1)
		case "${COMP_WORDS[at]}" in
@CASES@		list) words="gpio led sensor" ;;
		completion) words="bash zsh fish" ;;
		esac
		;;
	*) words="$(halctl list "${COMP_WORDS[at]}" 2>/dev/null | awk 'NR > 1 { print $2 }')" ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _halctl halctl
`

const fishScript = `# Completion of halctl.
complete -c halctl -f
@FISH@`
