# Prints a file with what stands between its two markers replaced by that of the file `table`.
/^<!-- bench: / {
	print
	while ((getline line < table) > 0) { print line }
	inside = 1
}
/^<!-- bench end/ { inside = 0 }
!inside { if (!/^<!-- bench: /) { print } }
