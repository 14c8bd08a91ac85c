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
