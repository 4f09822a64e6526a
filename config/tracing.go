package config

import "pingap/config/otlp"

// checkExporter judges where traces are to go. No message shows the URL, which may hold what the collector asks for.
func (l *loader) checkExporter(e *entry, s *Server) {
	if s.OTLPExporter == "" {
		return
	}
	_, warnings, err := otlp.Parse(s.OTLPExporter.Reveal())
	if err != nil {
		l.fail(e.problem(err.Error(), "otlp_exporter"))
	}
	for _, text := range warnings {
		l.warn(e.problem(text, "otlp_exporter"))
	}
}
