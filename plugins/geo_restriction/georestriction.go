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
	sights   *sightings      // nil unless reporting
	answer   *plugins.Answer // shared by all requests
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
		answer: plugins.Text(403, p.String("message")),
	}
	log := logOf(p.Services())
	if kind == "reporting" {
		r.sights = &sightings{log: log, plugin: p.Name(), listed: listed}
	}
	if err := errors.Join(codesErr, refusal(r.open(p.Services(), log))); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// open takes the database from the shelf of the worker. Elsewhere the file is only checked: it is read when somebody is looked up after all.
func (r *restriction) open(s *plugins.Services, log *zap.Logger) (err error) {
	if s == nil {
		r.database = &database{path: r.path, log: log}
		return check(r.path)
	}
	shelf := shelfOf(s)
	if r.database, err = shelf.take(r.path, log); err == nil {
		r.shelf = shelf
	}
	return err
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

// Decide looks the country up. A client without address passes; one whose country is unknown is on no list.
func (r *restriction) Decide(e *plugins.Exchange) plugins.Decision {
	if !e.ClientIP.IsValid() {
		return plugins.Continue
	}
	c := r.database.country(e.ClientIP)
	if r.sights != nil {
		r.sights.note(c)
		return plugins.Continue
	}
	if r.listed[c] != r.denies {
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
