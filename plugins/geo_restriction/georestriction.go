package georestriction

import (
	"errors"
	"path/filepath"

	"go.uber.org/zap"

	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "geo_restriction",
		Summary:  "Lets clients pass, or refuses them, by their country.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "database", Type: plugins.String, Required: true, Help: "Absolute path of a MaxMind database with countries or cities (.mmdb). It is read anew when it has changed, looked at each 10 s."},
			{Name: "type", Type: plugins.String, Required: true, Enum: []string{"allow", "deny", "reporting"}, Help: "What is done with clients from the countries in the list: allow lets only these pass, deny refuses these, reporting lets everybody pass and says in the log where requests come from."},
			{Name: "country_codes", Type: plugins.Strings, Help: "Codes of countries of two letters (ISO 3166-1); an entry may hold several, separated by blanks or commas. Required for allow and deny."},
			{Name: "message", Type: plugins.String, Default: "Access from your country is not allowed", Help: "Body of the answer 403 to a refused request."},
		},
		New: build,
	}
}

// restriction is an instance.
type restriction struct {
	shelf    *shelf // nil where the database is the instance's own
	path     string
	database *database
	listed   *set
	denies   bool
	sights   *sightings // nil unless reporting
	// Shared by all requests.
	answer, unavailable *plugins.Answer
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	kind, codes := p.String("type"), p.Strings("country_codes")
	listed, codesErr := readCountries("country_codes", codes)
	if len(codes) == 0 && kind != "reporting" {
		codesErr = plugins.Errorf("country_codes", "expected at least one country")
	}
	path := filepath.Clean(p.String("database"))
	if !filepath.IsAbs(path) {
		return nil, errors.Join(codesErr, plugins.Errorf("database", "expected an absolute path"))
	}
	r := &restriction{
		path: path, listed: listed, denies: kind == "deny",
		answer: plugins.Text(403, p.String("message")), unavailable: plugins.Text(503, "The database of countries is not available"),
	}
	log := logOf(p.Services())
	if kind == "reporting" {
		r.sights = &sightings{log: log, plugin: p.Name(), listed: listed}
	}
	if p.Services() == nil { // the file is only checked, and read when somebody is looked up after all
		r.database = &database{path: path, log: log}
		return r, errors.Join(codesErr, refusal(check(path)))
	}
	if codesErr != nil {
		return nil, codesErr
	}
	r.shelf = shelfOf(p.Services())
	r.database = r.shelf.take(path, log)
	return r, nil
}

func refusal(err error) error {
	if err == nil {
		return nil
	}
	return plugins.Errorf("database", "%v", err)
}

func logOf(s *plugins.Services) *zap.Logger {
	if s == nil || s.Log == nil {
		return zap.NewNop()
	}
	return s.Log.Named("geo_restriction")
}

// Decide looks the country up. A client without address passes; one whose country is unknown is on no list. Without a database nobody passes.
func (r *restriction) Decide(e *plugins.Exchange) plugins.Decision {
	if !e.ClientIP.IsValid() {
		return plugins.Continue
	}
	c, there := r.database.country(e.ClientIP)
	switch {
	case r.sights != nil:
		r.sights.note(c)
		return plugins.Continue
	case !there:
		return plugins.Respond(r.unavailable, "no database of countries")
	case r.listed[c] != r.denies:
		return plugins.Continue
	}
	return plugins.Respond(r.answer, "country")
}

// Close gives the database back.
func (r *restriction) Close() error {
	if r.shelf != nil {
		r.shelf.giveBack(r.path)
	}
	return nil
}
