module github.com/halberd-io/halberd

go 1.26

require (
	github.com/BurntSushi/toml v1.6.0
	github.com/go-json-experiment/json v1.27.2 // for tests alone
	github.com/warthog618/go-gpiocdev v0.9.1
	golang.org/x/sys v0.47.0
)
