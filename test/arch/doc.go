// Package arch keeps the shape of the code true: who may import whom, where each
// vendor lives, and a few habits that a reader relies on.
//
// # Import rules
//
// table.go lists them. A rule names packages by pattern and says what they may reach.
// It is checked over the whole import closure, not only over import statements:
// the checker walks from each package through everything it imports, our packages
// and third parties alike, and prints the chain by which a forbidden package was
// reached. There are three shapes:
//
//   - a [Layer] says which of our own packages a layer may know;
//   - a [Home] gives a vendor one place to live: whoever else needs it goes through
//     that place;
//   - a [Ban] names what must not be linked into a program at all.
//
// A rule that matches nothing fails: the package was renamed or the vendor dropped, and
// a rule that guards nothing only looks like safety. So does a package of ours that no
// layer covers: whoever adds a package says where it stands.
//
// # Habits
//
// habits.go checks files rather than imports: their length, the names of packages, a
// doc comment for each package, subjects spelled outside package subjects, decisions
// that read a clock, goroutines in packages whose tests do not look for leaks, go.mod
// against what is imported, notes left for later, decision records that are incomplete
// or not in the index, and dead links.
//
// The checks run on this repository in arch_test.go. That each of them fails when it
// must is proven on small made-up graphs and files beside it.
package arch
