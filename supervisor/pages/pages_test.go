package pages

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestOnlyWhatIsAsInTheFileIsLetGo(t *testing.T) {
	smaps := `00400000-00a00000 r-xp 00000000 08:01 77 /usr/bin/pingap
Size:               6144 kB
Anonymous:             0 kB
00a00000-01600000 r--p 00600000 08:01 77 /usr/bin/pingap
Anonymous:             4 kB
01600000-01700000 r--p 01200000 08:01 77 /usr/bin/pingap
Rss:                 100 kB
Anonymous:             0 kB
01700000-01800000 rw-p 01300000 08:01 77 /usr/bin/pingap
Anonymous:             0 kB
01800000-01900000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 08:01 78 /usr/bin/other
Anonymous:             0 kB
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
zz-7ffc00002000 r-xp 00000000 08:01 77 /usr/bin/pingap
Anonymous:             0 kB
`
	want := "[{4194304 10485760} {23068672 24117248}]"
	if got := fmt.Sprint(mappings([]byte(smaps), "/usr/bin/pingap")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// fileKiB is the resident memory that lies in files.
func fileKiB(t *testing.T) (n int) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "RssFile:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheProcessGoesOnWithLess(t *testing.T) {
	if err := Release(); err != nil { // what follows has been touched by then
		t.Fatal(err)
	}
	runtime.GC()
	full := fileKiB(t)
	for range 10 {
		if err := Release(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	if now := fileKiB(t); now > full+full/2 {
		t.Errorf("%d KiB, %d KiB at first", now, full)
	}
	if got := strings.Repeat("still here ", 2); got != "still here still here " {
		t.Error(got)
	}
}

func TestResidentIsWhatTheKernelSays(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	if got := Resident() >> 10; got < kib/2 || got > kib*2 {
		t.Errorf("%d KiB, want about %d", got, kib)
	}
}
