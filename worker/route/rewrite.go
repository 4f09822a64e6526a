package route

import (
	"bytes"

	"pingap/config"
	"pingap/message"
)

// wholePath is the expression that stands for the whole path, without groups.
const wholePath = ".*"

// rewriteSpace is the room on the stack for a new path; a longer one costs an allocation.
const rewriteSpace = 512

// rewriteRule replaces the first match of an expression in the path.
type rewriteRule struct {
	match    *expression // nil: the whole path
	template []part
}

// compileRewrite compiles "regex replacement". One token with a "$" replaces the whole path; one
// without, and more than two, remove the match.
func compileRewrite(text string) (*rewriteRule, error) {
	if text == "" {
		return nil, nil
	}
	pattern, replacement := config.ParseRewrite(text)
	if pattern == wholePath {
		return &rewriteRule{template: compileTemplate(replacement, nil)}, nil
	}
	match, err := compileExpression(pattern)
	if err != nil {
		return nil, err
	}
	return &rewriteRule{match: match, template: compileTemplate(replacement, match)}, nil
}

// apply rewrites the path of the request, and reports whether it changed. A result that may not
// stand in a request line leaves the path alone.
func (w *rewriteRule) apply(rec *message.Record, raw bool) bool {
	r := &rec.Request
	path := r.Path
	if !raw {
		path = r.NormalPath()
	}
	found := []int{0, len(path)}
	if w.match != nil {
		if found = w.match.regex.FindSubmatchIndex(path); found == nil {
			return false
		}
	}
	var space [rewriteSpace]byte
	result := append(space[:0], path[:found[0]]...)
	result = appendTemplate(result, w.template, rec, path, found)
	result = append(result, path[found[1]:]...)
	if bytes.Equal(result, r.Path) || !validPath(result) {
		return false
	}
	if w.match != nil && w.match.names != nil {
		w.match.captureMatch(rec, stable(r, path), found)
	}
	setPath(r, result)
	return true
}

// validPath reports whether a rewritten path may be sent: origin-form, without a fragment.
func validPath(path []byte) bool {
	return message.ValidTarget(path) && path[0] == '/' && bytes.IndexByte(path, '#') < 0
}

// setPath replaces the path and keeps the query. A query that the rewriting added comes first.
func setPath(r *message.Request, path []byte) {
	if r.HasQuery && bytes.IndexByte(path, '?') >= 0 {
		path = append(path, '&')
		path = append(path, r.Query...)
		r.Query, r.HasQuery = nil, false // now part of path
	}
	r.RewritePath(path)
}

// stable returns path in memory that lasts as long as the request: a normal form is overwritten
// when the path is rewritten, so it is copied.
func stable(r *message.Request, path []byte) []byte {
	if len(path) == 0 || len(r.Path) > 0 && &path[0] == &r.Path[0] {
		return path
	}
	return bytes.Clone(path)
}
