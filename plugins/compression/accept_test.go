package compression

import (
	"strings"
	"testing"

	"pingap/message"
)

func allOffered() *[codings]bool {
	return &[codings]bool{zstdCoding: true, brotliCoding: true, gzipCoding: true}
}

func acceptedOf(lines ...string) accepted {
	var f message.Fields
	for _, line := range lines {
		f.Add("accept-encoding", []byte(line))
	}
	return readAccepted(&f)
}

func TestTheCodingThatTheClientLikesMostIsChosen(t *testing.T) {
	cases := []struct {
		name, header string
		want         coding
	}{
		{"Chrome 139, Edge, Opera", "gzip, deflate, br, zstd", zstdCoding},
		{"Chrome before 123, Safari 11 to 18", "gzip, deflate, br", brotliCoding},
		{"Firefox 142", "gzip, deflate, br, zstd", zstdCoding},
		{"Firefox before 126", "gzip, deflate, br", brotliCoding},
		{"browsers without TLS", "gzip, deflate", gzipCoding},
		{"Safari for media", "identity", identity},
		{"Chrome for media", "identity;q=1, *;q=0", identity},
		{"curl --compressed", "deflate, gzip, br, zstd", zstdCoding},
		{"curl --compressed on Windows", "deflate, gzip", gzipCoding},
		{"Go, wget", "gzip", gzipCoding},
		{"python-requests, Postman", "gzip, deflate, br", brotliCoding},
		{"Googlebot", "gzip,deflate,br", brotliCoding},
		{"LWP", "gzip, x-gzip, deflate, x-bzip2, bzip2", gzipCoding},
		{"Java", "x-gzip", gzipCoding},

		{"nothing", "", identity},
		{"unknown", "compress, dcb, dcz", identity},
		{"any case", "GZip;Q=1", gzipCoding},
		{"weights", "zstd;q=0.1, br;q=0.2, gzip;q=0.3", gzipCoding},
		{"weights in thousandths", "br;q=0.998, gzip;q=0.999", gzipCoding},
		{"equal weights", "gzip;q=0.5, zstd;q=0.5, br;q=0.500", zstdCoding},
		{"blanks", "\t gzip ;\tq=0.5 ,, br ; q=0.4", gzipCoding},
		{"refused", "zstd;q=0, br;q=0.0, gzip;q=0.001", gzipCoding},
		{"refused in thousandths", "gzip;q=0.000", identity},
		{"any", "*", zstdCoding},
		{"any but some", "*, zstd;q=0, br;q=0", gzipCoding},
		{"any is less", "*;q=0.5, gzip", gzipCoding},
		{"none", "*;q=0", identity},
		{"none but one", "*;q=0, br", brotliCoding},
		{"plain is liked more", "gzip;q=0.5, identity", identity},
		{"plain is liked as much", "gzip, identity", gzipCoding},
		{"plain is refused", "identity;q=0, gzip;q=0.1", gzipCoding},
		{"named twice", "gzip, gzip;q=0", identity},
		{"weight above 1", "br;q=1.1, gzip", gzipCoding},
		{"weight of two", "br;q=2, gzip", gzipCoding},
		{"weight of 1.000", "br;q=1.000, gzip;q=0.999", brotliCoding},
		{"weight too exact", "br;q=0.1234, gzip;q=0.1", gzipCoding},
		{"weight without digits", "br;q=, gzip;q=0.1", gzipCoding},
		{"weight that ends in a point", "gzip;q=1.", gzipCoding},
		{"weight below 0", "br;q=-1, gzip;q=0.1", gzipCoding},
		{"weight without a point", "br;q=05, gzip;q=0.1", gzipCoding},
		{"another parameter", "br;level=1, gzip;q=0.1", gzipCoding},
		{"two parameters", "br;q=1;x=1, gzip;q=0.1", gzipCoding},
		{"part of a name", "gzipx, bro, zst", identity},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := acceptedOf(c.header)
			if got := a.best(allOffered()); got != c.want {
				t.Errorf("%q: got %s, want %s", c.header, codingNames[got], codingNames[c.want])
			}
		})
	}
}

func TestOnlyWhatIsOfferedIsChosen(t *testing.T) {
	a := acceptedOf("gzip;q=0.1, br, zstd")
	if got := a.best(&[codings]bool{gzipCoding: true}); got != gzipCoding {
		t.Errorf("got %d", got)
	}
	if got := a.best(&[codings]bool{}); got != identity {
		t.Errorf("got %d", got)
	}
}

func TestSeveralFieldsAreOneList(t *testing.T) {
	a := acceptedOf("gzip", "br;q=0.5", "zstd;q=0")
	if got := a.best(allOffered()); got != gzipCoding {
		t.Errorf("got %d", got)
	}
}

func TestAPlainBodyIsTakenUnlessItIsRefused(t *testing.T) {
	for header, want := range map[string]bool{
		"": true, "gzip": true, "identity;q=0": false, "*;q=0": false, "*;q=0, identity": true, "*": true, "identity;q=0.001": true,
		"*, identity;q=0": false,
	} {
		a := acceptedOf(header)
		if got := a.plain(); got != want {
			t.Errorf("%q: %t", header, got)
		}
	}
}

func TestReadingWhatAClientTakesAllocatesNothing(t *testing.T) {
	var f message.Fields
	f.Add("Accept-Encoding", []byte("gzip, deflate, br;q=0.5, zstd;q=0.1, *;q=0"))
	if n := testing.AllocsPerRun(100, func() {
		a := readAccepted(&f)
		a.best(allOffered())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is found does not depend on the order of the elements, nor on how they are spread over fields, and nothing that is refused is chosen.
func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"", "gzip, deflate, br, zstd", "gzip;q=0.5,*;q=0", "identity;q=0", ";;;,,q=,*;q=1.0000", "br ;\tq=0.001", "*;q=0,zstd;q=1."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a := acceptedOf(header)
		elements := strings.Split(header, ",")
		if spread := acceptedOf(elements...); spread != a {
			t.Errorf("%q: %v, over several fields %v", header, a, spread)
		}
		for i, j := 0, len(elements)-1; i < j; i, j = i+1, j-1 {
			elements[i], elements[j] = elements[j], elements[i]
		}
		if turned := acceptedOf(strings.Join(elements, ",")); turned != a {
			t.Errorf("%q: %v, turned %v", header, a, turned)
		}
		best := a.best(allOffered())
		if best != identity && (a.weight(best) <= 0 || a.weight(best) < a.weights[identity]) {
			t.Errorf("%q: chose %s", header, codingNames[best])
		}
		for c := identity + 1; c < codings; c++ {
			if a.weight(c) > most || best != identity && a.weight(c) > a.weight(best) {
				t.Errorf("%q: %s has %d", header, codingNames[c], a.weight(c))
			}
		}
	})
}
