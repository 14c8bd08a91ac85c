package built

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// patience is how long the compiler may take on a machine that has compiled nothing yet.
const patience = 5 * time.Minute

// sources is what the program is made of, beside go.mod.
var sources = []string{"cmd", "services", "sdk", "subjects", "web"}

// Program compiles cmd/tutti into dir, with further flags and settings of the environment,
// and gives the executable's path. It needs the go command. root leads to the project's
// directory.
func Program(root, dir string, flags, env []string) (string, error) {
	if err := look(root); err != nil {
		return "", fmt.Errorf("looking at the program's sources: %w", err)
	}
	out := filepath.Join(dir, "tutti")
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := append([]string{"build", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/tutti")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, text)
	}
	return out, nil
}

func look(root string) error {
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return err
	}
	for _, dir := range sources {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && e.Name() == "node_modules":
				return filepath.SkipDir
			case e.IsDir():
				return nil
			}
			_, err = os.Stat(path) // the walk's own look is not one that counts
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
