package images

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/image/webp"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// TestMain is the maker when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "images" {
		if err := Make(context.Background(), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// drawing is a picture with few colours and large areas.
func drawing(w, h int) image.Image {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			p.SetNRGBA(x, y, color.NRGBA{uint8(x / 16 * 16), uint8(y / 16 * 16), 128, uint8(255 - x%2)})
		}
	}
	return p
}

func pngOf(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withChunk puts a chunk behind the head of a PNG.
func withChunk(data []byte, kind, body string) []byte {
	const head = 8 + 25
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(chunk, kind...), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return append(append(bytes.Clone(data[:head]), chunk...), data[head:]...)
}

// withSegment puts a segment at the front of a JPEG.
func withSegment(data []byte, marker byte, body string) []byte {
	segment := append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
	return append(append(bytes.Clone(data[:2]), segment...), data[2:]...)
}

func exif(orientation byte) string {
	return "Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00\x00"
}

func TestWithoutLossEveryPixelStays(t *testing.T) {
	before := drawing(200, 100)
	data := pngOf(t, before)
	for to, decode := range map[string]func(*bytes.Reader) (image.Image, error){
		"png":  func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) },
		"webp": func(r *bytes.Reader) (image.Image, error) { return webp.Decode(r) },
	} {
		made, err := Convert(data, "png", to, 100)
		if err != nil || len(made) >= len(data)/10 {
			t.Fatalf("%s: %d of %d bytes, %v", to, len(made), len(data), err)
		}
		after, err := decode(bytes.NewReader(made))
		if err != nil || after.Bounds() != before.Bounds() {
			t.Fatalf("%s: %v", to, err)
		}
		for y := range 100 {
			for x := range 200 {
				if a, b := color.NRGBAModel.Convert(after.At(x, y)), before.At(x, y); a != b {
					t.Fatalf("%s: %d,%d is %v, was %v", to, x, y, a, b)
				}
			}
		}
	}
}

func TestJPEGBecomesSmaller(t *testing.T) {
	data := jpegOf(t, drawing(200, 100))
	good, err := Convert(data, "jpeg", "jpeg", 90)
	if err != nil || len(good) >= len(data) {
		t.Fatalf("%d of %d bytes, %v", len(good), len(data), err)
	}
	poor, err := Convert(withSegment(data, 0xe1, exif(1)), "jpeg", "jpeg", 30)
	if err != nil || len(poor) >= len(good) {
		t.Fatalf("%d and %d bytes, %v", len(poor), len(good), err)
	}
	if p, err := jpeg.Decode(bytes.NewReader(poor)); err != nil || p.Bounds().Dx() != 200 {
		t.Error(err)
	}
}

func TestWhatWouldLookDifferentIsRefused(t *testing.T) {
	small := drawing(40, 30)
	p, j := pngOf(t, small), jpegOf(t, small)
	huge := bytes.Clone(p)
	binary.BigEndian.PutUint32(huge[16:], 16000)
	binary.BigEndian.PutUint32(huge[20:], 16000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	dense, err := Convert(p, "png", "png", 100)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		data     []byte
		from, to string
		want     error
	}{
		{"profile of a PNG", withChunk(p, "iCCP", "x"), "png", "png", errColours},
		{"colours of a PNG", withChunk(p, "cHRM", "x"), "png", "webp", errColours},
		{"animation", withChunk(p, "acTL", "12345678"), "png", "webp", errMoves},
		{"EXIF of a PNG", withChunk(p, "eXIf", "x"), "png", "png", errTurned},
		{"profile of a JPEG", withSegment(j, 0xe2, "ICC_PROFILE\x00x"), "jpeg", "jpeg", errColours},
		{"turned", withSegment(j, 0xe1, exif(6)), "jpeg", "jpeg", errTurned},
		{"EXIF that cannot be read", withSegment(j, 0xe1, "Exif\x00\x00II*\x00\xff\xff\xff\xff"), "jpeg", "jpeg", errTurned},
		{"too many pixels", huge, "png", "webp", errLarge},
		{"16 bits", pngOf(t, image.NewNRGBA64(image.Rect(0, 0, 20, 20))), "png", "webp", errColours},
		{"not smaller", dense, "png", "png", errLonger},
		{"JPEG without loss", jpegOf(t, small)[:0], "jpeg", "webp", errForm},
		{"another type", j, "png", "png", errForm},
		{"cut off", p[:len(p)/2], "png", "png", errForm},
		{"nothing", nil, "png", "png", errForm},
	}
	for _, c := range cases {
		if got, err := Convert(c.data, c.from, c.to, 80); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
	}
	for _, c := range [][2]string{{"gif", "png"}, {"png", "avif"}} {
		if _, err := Convert(p, c[0], c[1], 80); err == nil {
			t.Errorf("%s to %s: no error", c[0], c[1])
		}
	}
}

// begin starts a keeper whose maker is this binary.
func begin(t *testing.T) *Keeper {
	t.Helper()
	var asked atomic.Int64
	k := &Keeper{Executable: "/proc/self/exe", Log: zap.NewNop(), As: func() *syscall.Credential {
		if asked.Add(1) < 3 {
			return nil // it is not known yet
		}
		return &syscall.Credential{}
	}}
	if err := k.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return k
}

// ask is a client of the maker.
func ask(t *testing.T, k *Keeper, token []byte, data []byte, to string) (*ipc.Message, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	conn, err := ipc.Dial(ctx, k.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.TakeFDs()
	fd, err := ipc.SealedMemfd("test", data)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := conn.Send(ctx, 0, ipc.Picture{Token: token, From: "png", To: to, Quality: 80, Until: time.Now().Add(time.Minute).UnixMilli(), Data: 1}, fd); err != nil {
		t.Fatal(err)
	}
	return conn.Receive(ctx)
}

func TestTheMakerIsStartedByTheFirstClientAndServesMany(t *testing.T) {
	k := begin(t)
	data := pngOf(t, drawing(300, 200))
	for range 5 {
		m, err := ask(t, k, k.Token(), data, "webp")
		if err != nil {
			t.Fatal(err)
		}
		made, ok := m.Body.(*ipc.PictureMade)
		if !ok || made.Problem != "" {
			t.Fatalf("%+v", m.Body)
		}
		fd, err := m.Take(made.Data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ipc.ReadMemfd(fd, ipc.MaxPicture)
		unix.Close(fd)
		if err != nil || !bytes.HasPrefix(got, []byte("RIFF")) || len(got) >= len(data) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	m, err := ask(t, k, k.Token(), []byte("no picture"), "webp")
	if err != nil {
		t.Fatal(err)
	}
	if made, ok := m.Body.(*ipc.PictureMade); !ok || !strings.Contains(made.Problem, errForm.Error()) || made.Data != 0 {
		t.Errorf("%+v", m.Body)
	}
}

func TestWithoutTheTokenNothingIsMade(t *testing.T) {
	k := begin(t)
	if m, err := ask(t, k, make([]byte, ipc.PicturesToken), pngOf(t, drawing(20, 20)), "webp"); err == nil {
		t.Errorf("%+v", m.Body)
	}
}

func TestAMakerWhosePictureHangsEnds(t *testing.T) {
	k := &Keeper{}
	if err := k.Open(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(k.socket.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.socket.Close() })
	acceptor, err := ipc.AcceptorFromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer acceptor.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	m := maker{acceptor: acceptor, token: k.Token(), end: cancel, idle: 10 * time.Second, limit: time.Nanosecond}
	ended := make(chan error, 1)
	go func() { ended <- m.run(ctx) }()
	_, _ = ask(t, k, k.Token(), pngOf(t, drawing(900, 900)), "webp")
	if err := <-ended; !errors.Is(err, errHangs) {
		t.Errorf("ended with %v", err)
	}
}

func TestAMakerWithoutWorkEnds(t *testing.T) {
	k := &Keeper{}
	if err := k.Open(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(k.socket.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.socket.Close() })
	acceptor, err := ipc.AcceptorFromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer acceptor.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	m := maker{acceptor: acceptor, token: k.Token(), end: cancel, idle: time.Millisecond, limit: time.Minute}
	if err := m.run(ctx); err != nil {
		t.Error(err)
	}
}

// Whatever comes as a picture, it is judged without a panic, and nothing larger comes out.
func FuzzConvert(f *testing.F) {
	p, j := pngOf(f, drawing(20, 10)), jpegOf(f, drawing(20, 10))
	for _, seed := range [][]byte{p, j, withChunk(p, "acTL", "x"), withSegment(j, 0xe1, exif(3)), p[:20], j[:20], {}} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, isPNG bool) {
		from, to := "jpeg", "jpeg"
		if isPNG {
			from, to = "png", "webp"
		}
		if len(data) > 100_000 {
			return
		}
		decode, err := look(data, from)
		if err != nil {
			return
		}
		if head, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && head.Width*head.Height > 1<<20 {
			return // slow, and bounded
		}
		_ = decode
		if made, err := Convert(data, from, to, 50); err == nil && len(made) >= len(data) {
			t.Errorf("%d bytes of %d", len(made), len(data))
		}
	})
}
