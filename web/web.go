// Package web holds the browser app and the client module tutti.js, embedded into the
// binary. They are plain ES modules and one page: what is in the folder is what a browser
// gets, without a build step.
//
//	index.html, style.css, app.js, app/   the app
//	tutti.js, tutti/                      the client; it depends on nothing, not on the app either
//	test/, package.json, tsconfig.json    how both are checked; not embedded
//
// README.md tells how to work on them, and which data-test attributes tests may rely on.
package web

import (
	"embed"
	"io/fs"
)

//go:embed index.html style.css app.js tutti.js app/*.js app/*.css app/*.svg tutti/*.js
var files embed.FS

// Files gives what a browser may ask for: the page as index.html, and everything else under
// the path that it has here.
func Files() fs.FS { return files }
