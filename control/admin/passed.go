package admin

import (
	"net/http"
	"net/url"
	"strings"

	"pingap/control/admin/api"
	"pingap/control/admin/auth"
)

// Fields name the fields in which workers say how a request came: the client's address, the scheme, what was taken from the front of its path.
type Fields struct{ Client, Scheme, Prefix string }

// Passed answers requests that admin plugins have passed on. Their path is the name of the plugin, escaped, behind a slash, and then what is asked for. The
// caller knows that a worker sends them: what is in fields is believed.
func (h *Handler) Passed(fields Fields) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way := &auth.Way{Addr: r.Header.Get(fields.Client), Prefix: r.Header.Get(fields.Prefix), Secure: r.Header.Get(fields.Scheme) == "https"}
		for _, name := range []string{fields.Client, fields.Scheme, fields.Prefix} {
			r.Header.Del(name)
		}
		var err error
		if way.Plugin, r.URL, err = below(r.URL); err != nil {
			api.WriteError(w, err)
			return
		}
		r = r.WithContext(auth.WithWay(r.Context(), way))
		who, err := h.gate.Identify(r, way)
		if err == nil && who.How != "token" && api.Unsafe(r.Method) {
			err = notCross(r)
		}
		if err != nil {
			h.refuse(w, r, who, err)
			return
		}
		h.serve(w, r, who)
	})
}

// refuse answers who is not let in. A page is shown to everybody: it is where people log in.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, who api.Who, err error) {
	if who.Role > api.Anyone && api.Unsafe(r.Method) {
		h.note(r.WithContext(api.WithWho(r.Context(), who)), &api.Trail{}, err, 0)
	}
	api.WriteError(w, err)
}

// below cuts the name of a plugin from the front of a path.
func below(u *url.URL) (plugin string, rest *url.URL, err error) {
	name, path, found := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if plugin, err = url.PathUnescape(name); err != nil || !found || plugin == "" {
		return "", u, api.Errorf(http.StatusNotFound, "there is nothing here")
	}
	if rest, err = url.ParseRequestURI("/" + path); err != nil {
		return "", u, api.Errorf(http.StatusBadRequest, "the path cannot be read")
	}
	rest.RawQuery = u.RawQuery
	return plugin, rest, nil
}
