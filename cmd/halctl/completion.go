package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// completion prints a script that completes commands, methods, and the devices that the daemon lists.
func (p *program) completion(_ context.Context, args []string) error {
	scripts := map[string]func() string{
		"bash": bashCompletion,
		"zsh":  zshCompletion,
		"fish": fishCompletion,
	}
	if len(args) != 1 || scripts[args[0]] == nil {
		return &usageError{"completion bash|zsh|fish"}
	}
	_, err := fmt.Fprint(p.stdout, scripts[args[0]]())
	return err
}

// classMethods gives the methods of each class as they are typed.
func classMethods() (classes []string, methods map[string]string) {
	methods = map[string]string{}
	for _, m := range deviceMethods() {
		class := strings.ToLower(m.Class)
		if methods[class] == "" {
			classes = append(classes, class)
		}
		methods[class] = strings.TrimSpace(methods[class] + " " + commandName(m.Name))
	}
	slices.Sort(classes)
	return classes, methods
}

// deviceClasses gives the classes that have devices, which are what can be listed, as they are typed.
func deviceClasses() (classes []string) {
	for _, m := range deviceMethods() {
		if class := strings.ToLower(m.Class); m.Device != "" && !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	return classes
}

func bashCompletion() string {
	classes, methods := classMethods()
	var words []string
	for _, c := range commands() {
		words = append(words, c.name)
	}
	var cases strings.Builder
	for _, class := range classes {
		fmt.Fprintf(&cases, "\t\t%s) choices=%q ;;\n", class, methods[class])
	}
	return strings.NewReplacer("@WORDS@", strings.Join(append(words, classes...), " "), "@CASES@", cases.String(),
		"@CLASSES@", strings.Join(deviceClasses(), " "), "@ANY@", strings.Join(classes, "|")).Replace(bashScript)
}

// bashScript looks at the line itself, since bash takes addresses and names with colons for several words, and so replaces only what follows the last of
// them. What devices are called comes from their makers: it is never expanded (compgen -W would), and not offered where it would mean something to a shell.
const bashScript = `# Completion of halctl.
_halctl() {
	local line="${COMP_LINE:0:$COMP_POINT}" address="" choices="" at=1 choice newline=$'\n'
	local -a typed
	typed=($line)
	[[ "$line" == *[[:space:]] ]] && typed+=("")
	local last=$((${#typed[@]} - 1))
	local current="${typed[$last]}"
	while [[ $at -lt $last && "${typed[$at]}" == -* ]]; do
		[[ "${typed[$at]}" == -a=* ]] && address="${typed[$at]#-a=}"
		[[ "${typed[$at]}" == -a ]] && at=$((at + 1)) && address="${typed[$at]}"
		at=$((at + 1))
	done
	case $((last - at)) in
	0) choices="@WORDS@" ;;
	1)
		case "${typed[$at]}" in
@CASES@		list) choices="@CLASSES@" ;;
		describe | claim | release) choices="$("${typed[0]}" ${address:+-a "$address"} list 2>/dev/null | awk 'NR > 1 { print $1 "/" $2 }')" ;;
		completion) choices="bash zsh fish" ;;
		policy) choices="test" ;;
		esac
		;;
	*)
		case "${typed[$at]}" in
		@ANY@) choices="$("${typed[0]}" ${address:+-a "$address"} list "${typed[$at]}" 2>/dev/null | awk 'NR > 1 { print $2 }')" ;;
		esac
		;;
	esac
	COMPREPLY=()
	while read -r choice; do
		[[ -n "$choice" && "$choice" == "$current"* && "$choice" != *[!a-zA-Z0-9_./:@%+=,-]* ]] || continue
		COMPREPLY+=("${choice#"${current%"${current##*[:=@]}"}"}")
	done <<<"${choices// /$newline}"
}
complete -F _halctl halctl
`

// zshCompletion lets zsh run the script for bash. It is right in a file _halctl on zsh's fpath, which is run as a function at the first completion, and then completes
// at once; and for `eval`.
func zshCompletion() string {
	return "#compdef halctl\nautoload -Uz bashcompinit && bashcompinit\n" + bashCompletion() +
		"[[ ${funcstack[1]} != _halctl ]] || _bash_complete -F _halctl\n"
}

func fishCompletion() string {
	classes, methods := classMethods()
	var b strings.Builder
	b.WriteString("# Completion of halctl.\ncomplete -c halctl -f\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c halctl -n __fish_use_subcommand -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.doc, "'", `\'`))
	}
	for _, class := range classes {
		fmt.Fprintf(&b, "complete -c halctl -n __fish_use_subcommand -a %s\n", class)
		seen := "__fish_seen_subcommand_from " + class
		fmt.Fprintf(&b, "complete -c halctl -n '%s; and not __fish_seen_subcommand_from %s' -a '%[2]s'\n", seen, methods[class])
		fmt.Fprintf(&b, "complete -c halctl -n '%s; and __fish_seen_subcommand_from %s' -a '(halctl list %s 2>/dev/null | awk \"NR > 1 { print \\$2 }\")'\n",
			seen, methods[class], class)
	}
	return b.String()
}
