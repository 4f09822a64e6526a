package inherit

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/supervisor/systemd"
)

func TestPartsOfAStoredArenaComeInTheirOrder(t *testing.T) {
	var fds []systemd.FD
	want := map[int]int{} // number of the part, by descriptor
	for _, n := range []int{10, 2, 16, 1, 9} {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		want[fd] = n
		fds = append(fds, systemd.FD{Name: NamePart(n), FD: fd})
	}
	fds = append(fds, systemd.FD{Name: NameArena, FD: 1000}, systemd.FD{Name: NameArena, FD: 1001})
	in := Stored(fds)
	var got []int
	for _, fd := range in.Parts {
		got = append(got, want[fd])
	}
	if fmt.Sprint(got) != "[1 2 9 10 16]" || fmt.Sprint(in.Arenas) != "[1000 1001]" || len(in.Strangers) > 0 {
		t.Errorf("parts %v, arenas %v, strangers %v", got, in.Arenas, in.Strangers)
	}
}
