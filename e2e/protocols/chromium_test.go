package protocols

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"html"
	"os"
	"regexp"
	"testing"
	"time"
)

const chromiumTime = 2 * time.Minute

// page does in a browser what sites do, and puts what came of it into its own text.
const page = `<!doctype html><meta charset="utf-8"><title>test</title><pre id="result">not done</pre>
<script>
(async () => {
  const result = {};
  try {
    const upload = new Uint8Array(1 << 20).map((_, i) => i % 251);
    const answer = await fetch('/echo', {method: 'POST', body: upload});
    const back = new Uint8Array(await answer.arrayBuffer());
    result.upload = back.length === upload.length && back.every((b, i) => b === upload[i]);
    const sizes = await Promise.all(Array.from({length: 50}, async (_, i) => (await (await fetch('/bytes/' + (1000 + i))).text()).length));
    result.parallel = sizes.every((n, i) => n === 1000 + i);
    result.large = (await (await fetch('/bytes/5000000')).arrayBuffer()).byteLength;
    const aborted = new AbortController();
    const stopped = fetch('/bytes/60000000', {signal: aborted.signal}).then((a) => { aborted.abort(); return a.text(); });
    result.aborted = await stopped.then(() => false, (e) => e.name === 'AbortError');
    result.after = (await (await fetch('/bytes/7')).text()).length;
    result.protocols = [...new Set(performance.getEntries().map((e) => e.nextHopProtocol).filter(Boolean))];
  } catch (e) {
    result.error = String(e);
  }
  document.getElementById('result').textContent = JSON.stringify(result);
})();
</script>
`

// pageResult is what the page found.
type pageResult struct {
	Upload, Parallel, Aborted bool
	Large, After              int
	Protocols                 []string
	Error                     string
}

// TestChromium loads a page over HTTP/2 in a browser: uploads, requests side by side, one that is given up.
func TestChromium(t *testing.T) {
	path := tool(t, "chromium")
	f := newFront(t, wish{Upstream: newBackend(t)})
	out := runTool(t, chromiumTime, []string{"HOME=" + f.Dir}, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
		"--ignore-certificate-errors-spki-list="+fingerprintOfKey(t, f.Cert), "--virtual-time-budget=20000", "--dump-dom", "https://"+f.TLS+"/page")
	m := regexp.MustCompile(`<pre id="result">(.*?)</pre>`).FindStringSubmatch(out.text)
	if m == nil {
		t.Fatalf("no page, exit code %d:\n%s", out.code, tail(out.text, 4000))
	}
	var r pageResult
	if err := json.Unmarshal([]byte(html.UnescapeString(m[1])), &r); err != nil {
		t.Fatalf("%v: %s", err, m[1])
	}
	if r.Error != "" || !r.Upload || !r.Parallel || r.Large != 5_000_000 || !r.Aborted || r.After != 7 {
		t.Errorf("%+v", r)
	}
	if len(r.Protocols) != 1 || r.Protocols[0] != "h2" {
		t.Errorf("protocols %q, want only h2", r.Protocols)
	}
}

// fingerprintOfKey is that of the public key in a certificate, as Chromium's list wants it.
func fingerprintOfKey(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
