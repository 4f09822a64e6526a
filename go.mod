module pingap

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/cloudflare/tableflip v1.2.3 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/mccutchen/go-httpbin/v2 v2.18.3 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
