// Package config reads Halberd's TOML files: policy.d/*.toml, board.toml and halberd.toml.
//
// It is strict. Keys are compared with their case, a key that nothing reads is an error, and a file that somebody else could have written is not read. All that is wrong is
// reported, each with the file and the line that it stands on, so that one run shows everything that has to be mended.
//
// Three folders are looked through: a file of /etc/halberd replaces one of the same name in /run/halberd, and that one in /usr/lib/halberd. An empty file, or a link
// to /dev/null, masks the ones below it.
package config
