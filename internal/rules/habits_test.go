package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

func TestEveryPackageHasADoc(t *testing.T) {
	for folder, files := range readTree(t).packages() {
		doc := ""
		for _, s := range files {
			if path.Base(s.path) == "doc.go" && s.file.Doc != nil {
				doc = s.file.Doc.Text()
			}
		}
		name := "Package " + files[0].file.Name.Name + " "
		if files[0].file.Name.Name == "main" {
			name = "Command " + path.Base(folder) + " "
		}
		if !strings.HasPrefix(doc, name) {
			t.Errorf("%s: doc.go must have a comment that starts with %q", folder, name)
		}
	}
}

// checkInit reports init functions: what runs at import runs in every process, in an order nobody chose.
func checkInit(tr *tree) []string {
	var problems []string
	for _, s := range tr.sources {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				problems = append(problems, s.path+": has an init function")
			}
		}
	}
	return problems
}

func TestNoInit(t *testing.T) {
	report(t, checkInit(readTree(t)))
	if len(checkInit(snippet(t, "a/a.go", "package a\nfunc init() {}\n"))) != 1 {
		t.Error("an init function was not found")
	}
}

// checkProcess reports what only the commands may touch: exit, flags, environment, signals.
func checkProcess(tr *tree) []string {
	forbidden := map[string]bool{
		"os.Exit": true, "os.Getenv": true, "os.LookupEnv": true, "os.Setenv": true, "os.Args": true,
		"log.Fatal": true, "log.Fatalf": true, "signal.Notify": true,
	}
	var problems []string
	for _, s := range tr.sources {
		if s.file.Name.Name == "main" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && forbidden[x.Name+"."+sel.Sel.Name] {
				problems = append(problems, fmt.Sprintf("%s: %s.%s belongs into cmd/pingap",
					tr.fset.Position(sel.Pos()), x.Name, sel.Sel.Name))
			}
			return true
		})
	}
	return problems
}

func TestOnlyCommandsTouchTheProcess(t *testing.T) {
	report(t, checkProcess(readTree(t)))
	bad := "package a\nimport \"os\"\nfunc f() { os.Exit(1) }\n"
	if len(checkProcess(snippet(t, "a/a.go", bad))) != 1 {
		t.Error("os.Exit was not found")
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:"}
	eachFile(t, func(rel string, text []byte) {
		switch path.Ext(rel) {
		case ".go", ".c", ".h", ".sh", ".toml":
		default:
			if path.Base(rel) != "Makefile" {
				return
			}
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, mark := range marks {
				if strings.Contains(line, mark) {
					t.Errorf("%s:%d: %s", rel, i+1, mark)
				}
			}
		}
	})
}

// checkVariables reports package variables that change: assigned in a function, or of a type made to be changed.
func checkVariables(tr *tree) []string {
	var problems []string
	for _, files := range tr.packages() {
		vars := map[string]bool{}
		for _, s := range files {
			for _, spec := range packageVars(s.file) {
				for _, name := range spec.Names {
					vars[name.Name] = true
				}
				if kind := changingType(spec); kind != "" {
					problems = append(problems, fmt.Sprintf("%s: package variable %s is a %s",
						tr.fset.Position(spec.Pos()), spec.Names[0].Name, kind))
				}
			}
		}
		for _, s := range files {
			problems = append(problems, tr.assignments(s.file, vars)...)
		}
	}
	return problems
}

func packageVars(f *ast.File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			specs = append(specs, spec.(*ast.ValueSpec))
		}
	}
	return specs
}

// changingType names a type that only makes sense when it changes; functions such as sync.OnceValue are none.
func changingType(spec *ast.ValueSpec) string {
	typ := spec.Type
	if typ == nil && len(spec.Values) > 0 {
		if lit, ok := spec.Values[0].(*ast.CompositeLit); ok {
			typ = lit.Type
		}
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if _, ok := typ.(*ast.ChanType); ok {
		return "channel"
	}
	sel, ok := typ.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
		return x.Name + "." + sel.Sel.Name
	}
	return ""
}

// assignments finds functions that change a package variable. A function that declares the name itself is left alone:
// the rule is cheap, not complete.
func (tr *tree) assignments(f *ast.File, vars map[string]bool) []string {
	var problems []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		local := declared(fn)
		ast.Inspect(fn, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if name := root(target); vars[name] && !local[name] {
					problems = append(problems, fmt.Sprintf("%s: package variable %s is changed in %s",
						tr.fset.Position(n.Pos()), name, fn.Name.Name))
				}
			}
			return true
		})
	}
	return problems
}

func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	}
	return nil
}

// root is the variable that an expression such as a.b[i].c stands in.
func root(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

// declared are all names that a function declares anywhere: parameters, results, variables.
func declared(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		var idents []*ast.Ident
		switch n := n.(type) {
		case *ast.Field:
			idents = n.Names
		case *ast.ValueSpec:
			idents = n.Names
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					if id, ok := e.(*ast.Ident); ok {
						idents = append(idents, id)
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok {
					idents = append(idents, id)
				}
			}
		}
		for _, id := range idents {
			names[id.Name] = true
		}
		return true
	})
	return names
}

func TestNoPackageVariableChanges(t *testing.T) {
	report(t, checkVariables(readTree(t)))
	for _, bad := range []string{
		"package a\nvar n int\nfunc f() { n++ }\n",
		"package a\nvar m = map[string]int{}\nfunc f() { m[\"a\"] = 1 }\n",
		"package a\nimport \"sync\"\nvar mu sync.Mutex\n",
		"package a\nimport \"sync/atomic\"\nvar p atomic.Pointer[int]\n",
	} {
		if len(checkVariables(snippet(t, "a/a.go", bad))) != 1 {
			t.Errorf("not found: %s", bad)
		}
	}
	good := "package a\nimport \"errors\"\nvar errA = errors.New(\"a\")\nfunc f() { errA := 1; errA++ }\n"
	if p := checkVariables(snippet(t, "a/a.go", good)); len(p) != 0 {
		t.Errorf("wrongly found: %q", p)
	}
}
