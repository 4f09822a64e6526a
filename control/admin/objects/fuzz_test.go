package objects

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"pingap/control/admin/api"
	"pingap/control/source"
)

const small = "[locations.a]\npath = \"/\"\nupstream = \"u\"\n\n[upstreams.u]\naddrs = [\"127.0.0.1:1\"]\n"

func smallSource() *Source {
	return &Source{Layout: source.Single, Single: "p.toml", Items: []source.Item{{Key: "p.toml", Data: []byte(small), Rev: "1"}},
		Docs: []source.Document{{Path: "/p.toml", Data: []byte(small)}}}
}

// good says whether an error is one that a client is told as its own.
func good(t *testing.T, err error) {
	t.Helper()
	var own *api.Error
	if err != nil && (!errors.As(err, &own) || own.Status < 400 || own.Status > 499) {
		t.Errorf("%v", err)
	}
}

// Whatever a client sends is written as TOML, or is its mistake.
func FuzzBodies(f *testing.F) {
	f.Add(`{"set":{"upstream":{"u":{"addrs":["127.0.0.1:2"]}}}}`)
	f.Add(`{"set":{"upstream":{"u":null},"location":{"a":null}},"remark":"x"}`)
	f.Add(`{"toml":{"upstream":{"n":"[upstreams.n]\naddrs=[] # c"}}}`)
	f.Add(`{"set":{"basic":{"":{"name":"***","x":[1,2.5,{"y":null}]}}}}`)
	o := New(Options{})
	f.Fuzz(func(t *testing.T, text string) {
		var body changes
		if err := readJSON(httptest.NewRequest("POST", "/", strings.NewReader(text)), &body); err != nil {
			good(t, err)
			return
		}
		wishes, err := body.wishes()
		if err != nil {
			good(t, err)
			return
		}
		draft, err := o.fulfil(smallSource(), wishes)
		good(t, err)
		for _, op := range draft.Ops {
			if op.Key != "p.toml" || op.Data == nil || len(o.reader.Read(nil, []source.Document{{Path: "p", Data: op.Data}}).Problems) > 0 {
				t.Errorf("%q becomes %s %q", text, op.Key, op.Data)
			}
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add(small)
	f.Add("[servers.x]\naddr = '127.0.0.1:1'\n# c\n[upstreams]\nu.addrs = []")
	f.Add("locations = { a = {} }\n[[x]]\n")
	o := New(Options{})
	f.Fuzz(func(t *testing.T, text string) {
		upload := o.reader.Read(nil, []source.Document{{Path: "import", Data: []byte(text)}})
		if len(upload.Problems) > 0 {
			return
		}
		for _, object := range upload.All {
			if _, err := checkName(object.Kind, object.Name); err != nil {
				return
			}
		}
		now := smallSource()
		draft, err := o.fulfil(now, imported(o.reader.Read(now.Items, now.Docs), upload, source.Single))
		good(t, err)
		for _, op := range draft.Ops {
			after := o.reader.Read(nil, []source.Document{{Path: "p", Data: op.Data}})
			if len(after.Problems) > 0 || len(after.All) != len(upload.All) {
				t.Errorf("%q becomes %q", text, op.Data)
			}
		}
	})
}
