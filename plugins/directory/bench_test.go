package directory

import (
	"os"
	"path/filepath"
	"testing"

	"pingap/plugins/plugintest"
)

// What a request for a file costs here: opening, looking, the answer, and the proxy's closing.
func BenchmarkAFile(b *testing.B) {
	root := b.TempDir()
	must(b, os.WriteFile(filepath.Join(root, "f.bin"), make([]byte, 16<<10), 0o644))
	for name, table := range map[string]string{"opened": "memory = 0", "kept": ""} {
		b.Run(name, func(b *testing.B) {
			x := instance(b, root, table)
			if m := x.Decider.(*directory).memory; m != nil {
				m.settled = 0
			}
			e := plugintest.New(b, "GET /f.bin\nHost: a\nUser-Agent: b\nAccept: */*")
			b.ReportAllocs()
			for b.Loop() {
				if a := x.Decider.Decide(e).Answer; a.File != nil {
					a.File.File.Close()
				}
			}
		})
	}
}
