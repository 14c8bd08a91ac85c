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
