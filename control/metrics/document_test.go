package metrics

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// update rewrites the document.
var update = flag.Bool("update", false, "rewrite docs/metrics.md")

const documentHead = `# Metrics

` + "`prometheus_metrics`" + ` of a server is a path that shows this page, or a URL that it is pushed to: see [configuration.md](configuration.md). Text, OpenMetrics and
protobuf are chosen by Accept; native histograms are in protobuf only. Totals are sums over all processes, and never go back when one of them is
replaced or killed. Location "" is the total over all locations. A dashboard and alert rules are in ` + "`packaging/monitoring/`" + ` and in the packages.

The buckets of ` + "`pingap_http_response_time`" + ` have exemplars in OpenMetrics and protobuf: the newest sampled request of each location, by its trace.

Metrics without the label server are of the instance, and the same on the pages of all its servers. promtool finds fault with the names of some: they
are those of the original.

The table is written by a test: ` + "`go test ./control/metrics -run Document -update`" + `.

| name | type | labels | what |
|---|---|---|---|
`

func TestTheDocumentListsAllMetrics(t *testing.T) {
	families, err := counted(t).Gather(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(documentHead)
	for _, f := range families {
		var labels []string
		for _, l := range f.Metric[len(f.Metric)-1].Label {
			labels = append(labels, l.GetName())
		}
		kind := strings.ToLower(f.GetType().String())
		if h := f.Metric[0].Histogram; h != nil {
			if kind += ","; h.Schema != nil {
				kind = "histogram, also native,"
			}
			for _, b := range h.Bucket {
				kind += fmt.Sprintf(" %g", b.GetUpperBound())
			}
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", f.GetName(), kind, strings.Join(labels, ", "), f.GetHelp())
	}
	path := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != text.String() {
		t.Errorf("docs/metrics.md is not what there is (%v); run with -update", err)
	}
}
