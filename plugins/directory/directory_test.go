package directory

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// changed is when the files of tests were changed, to the nanosecond.
var changed = time.Date(2024, time.February, 29, 12, 30, 45, 123456789, time.UTC)

const changedText = "Thu, 29 Feb 2024 12:30:45 GMT"

// tree makes files in a new directory; a name that ends in a slash is a directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(full, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, []byte(text), 0o644))
		must(t, os.Chtimes(full, changed, changed))
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func instance(t testing.TB, root, table string) *plugins.Instance {
	t.Helper()
	return plugintest.Build(t, Factory(), fmt.Sprintf("path = %q\n%s", root, table))
}

// ask returns the answer and the body that the proxy would send with it.
func ask(t testing.TB, x *plugins.Instance, request string) (*plugins.Answer, string) {
	t.Helper()
	a := x.Decider.Decide(plugintest.New(t, request)).Answer
	if a == nil {
		t.Fatalf("%s: no answer", request)
	}
	if a.File == nil {
		return a, string(a.Body)
	}
	defer a.File.File.Close()
	text, err := io.ReadAll(io.NewSectionReader(a.File.File, a.File.Offset, a.File.Length))
	if err != nil || int64(len(text)) != a.File.Length {
		t.Fatalf("%s: %d of %d bytes, %v", request, len(text), a.File.Length, err)
	}
	return a, string(text)
}

func TestAFileHasItsFields(t *testing.T) {
	root := tree(t, map[string]string{"a/page.css": "body{}"})
	a, body := ask(t, instance(t, root, "charset = \"utf-8\"\nmax_age = \"1h\"\nheaders = [\"X-A: b\"]"), "GET /a/page.css?v=1")
	want := "Content-Type: text/css; charset=utf-8\nAccept-Ranges: bytes\nLast-Modified: " + changedText + "\nETag: " + tagOf(6, "") +
		"\nCache-Control: public, max-age=3600\nX-A: b\n"
	if got := plugintest.FieldText(a.Fields); a.Status != 200 || !a.Content || body != "body{}" || got != want {
		t.Errorf("%d %q\n%swant\n%s", a.Status, body, got, want)
	}
}

func tagOf(size int, mark string) string {
	return fmt.Sprintf("\"%x-%x%s\"", size, changed.UnixNano(), mark)
}

func TestWhatPathsStandFor(t *testing.T) {
	root := tree(t, map[string]string{
		"index.html": "top", "a.txt": "a", "a b.txt": "blank", "é.txt": "accent", `back\slash`: "back", "100%": "percent", "%2e": "dots",
		"sub/index.html": "sub", "sub/b.txt": "b", "empty/": "", ".env": "secret", ".git/config": "secret", ".well-known/acme": "token", "d.d/x": "x",
		"..data": "two", "sub/%61": "escaped",
	})
	x := instance(t, root, "")
	for path, want := range map[string]string{
		"/": "top", "//": "top", "/.": "top", "/sub/": "sub", "/sub//": "sub", "/sub/b.txt": "b", "/sub/../a.txt": "a", "/%61.txt": "a", "/a.txt?b=../c": "a",
		"/a%20b.txt": "blank", "/%C3%A9.txt": "accent", `/back\slash`: "back", "/back%5Cslash": "back", "/100%": "percent", "/100%25": "percent",
		"/%252e": "dots", "/sub/%2561": "escaped", "/.well-known/acme": "token", "/d.d/x": "x",
		"/none": "404", "/empty/": "404", "/empty": "404", "/a.txt/": "404", "/a.txt/b": "404", "/.env": "404", "/%2eenv": "404", "/.git/config": "404", "/..data": "404",
		"/sub%2Fb.txt": "404", "/sub%2f..%2fa.txt": "404", "/a.txt%00": "404", "/%00": "404", "/a.txt%00.html": "404", "*": "404",
		`/..\a.txt`: "404", `/sub\..\a.txt`: "404", "/%%32e%%32e/a.txt": "404", "/" + strings.Repeat("x", 300): "404",
		"/..": "403", "/../a.txt": "403", "/../../etc/passwd": "403", "/sub/../../a.txt": "403", "/%2e%2e/a.txt": "403", "/.%2E/a.txt": "403", "/sub/..//../x/": "403",
	} {
		a, body := ask(t, x, "GET "+path)
		switch {
		case len(want) == 3 && want[0] == '4':
			if fmt.Sprint(a.Status) != want || strings.Contains(body, root) {
				t.Errorf("%s: %d %q, want %s", path, a.Status, body, want)
			}
		case a.Status != 200 || body != want:
			t.Errorf("%s: %d %q, want %q", path, a.Status, body, want)
		}
	}
	if _, body := ask(t, x, "GET /../a.txt"); body != "You do not have permission to access this resource, file: /../a.txt" {
		t.Errorf("body %q", body)
	}
	if _, body := ask(t, instance(t, root, "hidden = true"), "GET /.env"); body != "secret" {
		t.Errorf("hidden: %q", body)
	}
}

func TestDirectoriesWithoutTheirSlash(t *testing.T) {
	root := tree(t, map[string]string{"sub/index.html": "", "a:b/index.html": "", "é/index.html": "", "none/x": "", "dir/index.html/": ""})
	for request, want := range map[string]string{
		"/sub": "./sub/", "/sub?a=/b": "./sub/?a=/b", "//evil.example/../sub": "./sub/", "/a:b": "./a:b/", "/%C3%A9": "./%C3%A9/", "/none": "", "/dir": "", "/dir/": "",
	} {
		a, _ := ask(t, instance(t, root, ""), "GET "+request)
		if got := plugintest.Field(a, "Location"); got != want || (a.Status == 301) != (want != "") {
			t.Errorf("%s: %d %q, want %q", request, a.Status, got, want)
		}
	}
	a, _ := ask(t, instance(t, root, "autoindex = true"), "GET /none")
	if got := plugintest.Field(a, "Location"); got != "./none/" {
		t.Errorf("with listings: %q", got)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	x := instance(t, tree(t, map[string]string{"a": "text"}), "")
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"} {
		if a, _ := ask(t, x, method+" /a"); a.Status != 405 || plugintest.Field(a, "Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, a.Status)
		}
	}
	if a, _ := ask(t, x, "HEAD /a\nRange: bytes=0-0"); a.Status != 200 || a.File == nil || a.File.Length != 4 {
		t.Errorf("HEAD: %d", a.Status)
	}
}

// Nothing that is no file is waited for: this test hangs otherwise.
func TestSpecialFilesAreNotThere(t *testing.T) {
	root := tree(t, map[string]string{"a/b": ""})
	must(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644))
	listener, err := net.Listen("unix", filepath.Join(root, "socket"))
	must(t, err)
	defer listener.Close()
	must(t, os.Symlink("/dev/zero", filepath.Join(root, "device")))
	for _, table := range []string{"follow_symlinks = true", "follow_symlinks = true\nautoindex = true"} {
		x := instance(t, root, table)
		for _, name := range []string{"pipe", "socket", "device", "pipe/"} {
			if a, _ := ask(t, x, "GET /"+name); a.Status != 404 {
				t.Errorf("%s: %d", name, a.Status)
			}
		}
	}
	if a, _ := ask(t, instance(t, root, ""), "GET /device"); a.Status != 403 {
		t.Errorf("device, links not followed: %d", a.Status)
	}
	if _, body := ask(t, instance(t, root, "autoindex = true"), "GET /"); strings.Contains(body, ">pipe") || strings.Contains(body, ">socket") || strings.Contains(body, ">device") {
		t.Errorf("listed\n%s", body)
	}
}

func TestSymbolicLinks(t *testing.T) {
	outside := tree(t, map[string]string{"secret": "secret", "dir/x": "x"})
	root := tree(t, map[string]string{"a/file": "file"})
	for name, target := range map[string]string{
		"inside": "a/file", "up": "a/../a/file", "out": "../" + filepath.Base(outside) + "/secret", "absolute": filepath.Join(outside, "secret"),
		"outdir": filepath.Join(outside, "dir"), "loop": "loop", "dangling": "nothing", "own": filepath.Join(root, "a/file"), "indir": "a",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	must(t, os.Symlink("../a/file", filepath.Join(root, "a/deep")))
	cases := map[string][2]string{ // followed anywhere, inside only
		"/inside": {"file", "file"}, "/up": {"file", "file"}, "/a/deep": {"file", "file"}, "/indir/file": {"file", "file"}, "/out": {"404", "403"}, "/absolute": {"secret", "403"},
		"/outdir/x": {"x", "403"}, "/loop": {"404", "404"}, "/dangling": {"404", "404"}, "/own": {"file", "403"}, "/none": {"404", "404"}, "/a/file/x": {"404", "404"},
	}
	if filepath.Dir(outside) == filepath.Dir(root) {
		cases["/out"] = [2]string{"secret", "403"}
	}
	for i, table := range []string{"follow_symlinks = true", ""} {
		x := instance(t, root, table)
		for path, want := range cases {
			if a, body := ask(t, x, "GET "+path); body != want[i] && fmt.Sprint(a.Status) != want[i] {
				t.Errorf("%q %s: %d %q, want %s", table, path, a.Status, body, want[i])
			}
		}
	}
	_, body := ask(t, instance(t, root, "autoindex = true"), "GET /")
	for name, want := range map[string]bool{"inside": true, "indir/": true, "absolute": false, "outdir": false, "loop": false, "out<": false} {
		if strings.Contains(body, ">"+name) != want {
			t.Errorf("listing of links: %s, want %t\n%s", name, want, body)
		}
	}
}

// A release is turned by a link, and served without a reload.
func TestTheRootIsLookedAtAnew(t *testing.T) {
	base := tree(t, map[string]string{"one/f": "1", "two/f": "2"})
	current := filepath.Join(base, "current")
	for _, table := range []string{"follow_symlinks = true", ""} {
		os.Remove(current)
		x := instance(t, current, table)
		if a, _ := ask(t, x, "GET /f"); a.Status != 404 {
			t.Errorf("before there is a root: %d", a.Status)
		}
		must(t, os.Symlink("one", current))
		if _, body := ask(t, x, "GET /f"); body != "1" {
			t.Errorf("first %q", body)
		}
		must(t, os.Symlink("two", current+".new"))
		must(t, os.Rename(current+".new", current))
		if _, body := ask(t, x, "GET /f"); body != "2" {
			t.Errorf("then %q", body)
		}
	}
}

func TestADirectoryThatIsNotThereIsSaid(t *testing.T) {
	for path, want := range map[string]int{t.TempDir(): 0, "/nonexistent/directory": 1} {
		core, logs := observer.New(zap.WarnLevel)
		r := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).WithServices(&plugins.Services{Log: zap.New(core)})
		if _, err := r.Build(&config.Plugin{Name: "files", Category: "directory", Params: map[string]any{"path": path}}); err != nil {
			t.Fatal(err)
		}
		if logs.Len() != want {
			t.Errorf("%s: %v", path, logs.All())
		}
	}
}

func TestWhatCannotBeOpenedIsAnError(t *testing.T) {
	root := tree(t, map[string]string{"a": "x"})
	must(t, os.Chmod(filepath.Join(root, "a"), 0))
	if os.Getuid() == 0 { // who may read everything: this thread is somebody else for a while
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		must(t, syscall.Setfsuid(65534))
		defer func() { must(t, syscall.Setfsuid(0)) }()
	}
	for _, table := range []string{"follow_symlinks = true", ""} {
		if a, body := ask(t, instance(t, root, table), "GET /a"); a.Status != 500 || body != "File access error" {
			t.Errorf("%q: %d %q", table, a.Status, body)
		}
	}
}

func TestDownloadsHaveTheirName(t *testing.T) {
	root := tree(t, map[string]string{"a/plain.txt": "", "é\"%.txt": "", "bad\xff": ""})
	x := instance(t, root, "download = true")
	for path, want := range map[string]string{
		"/a/plain.txt":      `attachment; filename="plain.txt"; filename*=UTF-8''plain.txt`,
		"/%C3%A9%22%25.txt": `attachment; filename="___.txt"; filename*=UTF-8''%C3%A9%22%25.txt`,
		"/bad%FF":           `attachment; filename="bad_"; filename*=UTF-8''bad%EF%BF%BD`,
	} {
		a, _ := ask(t, x, "GET "+path)
		got := plugintest.Field(a, "Content-Disposition")
		if got != want || !message.ValidValue([]byte(got)) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestHowLongFilesAreKept(t *testing.T) {
	root := tree(t, map[string]string{"a.js": "", "a.HTML": "", "b.xhtml": ""})
	for table, want := range map[string][2]string{
		"": {"private, no-cache", "private, no-cache"}, `max_age = "1m"`: {"public, max-age=60", "private, no-cache"},
		"max_age = \"1h\"\nprivate = true":                          {"private, max-age=3600", "private, no-cache"},
		"max_age = \"1h\"\nheaders = [\"Cache-Control: no-store\"]": {"no-store", "no-store"},
	} {
		x := instance(t, root, table)
		for i, path := range []string{"/a.js", "/a.HTML", "/b.xhtml"} {
			a, _ := ask(t, x, "GET "+path)
			if got := plugintest.Field(a, "Cache-Control"); got != want[min(i, 1)] {
				t.Errorf("%q %s: %q, want %q", table, path, got, want[min(i, 1)])
			}
		}
	}
}

func TestTypesAreOfTheExtension(t *testing.T) {
	for name, want := range map[string]string{
		"/x.html": "text/html; charset=utf-8", "/X.JpG": "image/jpeg", "/a.tar.gz": "application/gzip", "/none": "application/octet-stream", "/.js": "text/javascript; charset=utf-8",
		"/a.b/c": "application/octet-stream", "/a.": "application/octet-stream", "/a.webmanifest": "application/manifest+json", "/a.webmanifestx": "application/octet-stream",
		"/a.mjs": "text/javascript; charset=utf-8", "/a.wasm": "application/wasm", "/a.svg": "image/svg+xml", "/a.unknown": "application/octet-stream",
	} {
		d := &directory{}
		d.types, d.unknown, _ = readTypes("utf-8")
		if got := d.typeOf([]byte(name)); string(got.value) != want {
			t.Errorf("%s: %s, want %s", name, got.value, want)
		}
	}
	for line := range strings.Lines(typeTable) {
		for _, extension := range strings.Fields(line)[min(1, len(strings.Fields(line))):] {
			if len(extension) > longestExtension || extension != strings.ToLower(extension) {
				t.Errorf("extension %q is never found", extension)
			}
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `index = "a/b"`, Key: "index", Message: "expected the name of a file, without a slash"},
		{Table: `index = ".."`, Key: "index", Message: "expected the name of a file, without a slash"},
		{Table: `path = "directory.go"`, Key: "path", Message: "expected a directory, found a file"},
		{Table: `path = "\u0000"`, Key: "path", Message: "expected a directory, found a NUL"},
		{Table: `charset = "utf 8"`, Key: "charset", Message: "expected the name of a character set such as utf-8"},
		{Table: `precompressed = ["br", "deflate"]`, Key: "precompressed", Message: "entry 2: expected zstd, br or gzip, each once"},
		{Table: `precompressed = ["br", "br"]`, Key: "precompressed", Message: "entry 2: expected zstd, br or gzip, each once"},
		{Table: `headers = ["etag: x"]`, Key: "headers", Message: "entry 1: etag is made of the file"},
		{Table: `headers = ["a"]`, Key: "headers", Message: `entry 1: expected "name: value"`},
		{Table: `step = "response"`, Key: "step", Message: `directory has no step "response", expected request or proxy_upstream`},
	})
	if got := plugintest.Check(t, Factory(), "chunk_size = \"8kb\"\npath = \"~/none\""); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
