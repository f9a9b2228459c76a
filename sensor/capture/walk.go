package capture

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Input is one file to read.
type Input struct {
	Path  string // cleaned; Stdin for standard input
	Named bool   // given by the user, not come across in a folder
	Err   error  // why the file or folder cannot be read, if that is known already
}

// Walk expands paths to the files to read: folders recursively and in sorted
// order, other paths as they are. In folders it follows links to files but not
// to folders, which may lead in circles, and passes over what is no regular
// file. What is reached by several paths is listed once, by the first of its
// names in alphabetical order. Nothing is opened but folders.
func Walk(paths []string) []Input {
	var list []Input
	index := make(map[string]int) // place in list by what identifies the file
	add := func(in Input) {
		key := in.Path
		if in.Path != Stdin {
			key = identity(in.Path)
		}
		i, ok := index[key]
		if !ok {
			index[key] = len(list)
			list = append(list, in)
			return
		}
		list[i].Named = list[i].Named || in.Named
		list[i].Path = min(list[i].Path, in.Path)
		list[i].Err = cmp.Or(list[i].Err, in.Err)
	}
	for _, path := range paths {
		if path == Stdin {
			add(Input{Path: Stdin, Named: true})
			continue
		}
		path = filepath.Clean(path)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			add(Input{Path: path, Named: true, Err: err})
			continue
		}
		// The trailing separator makes a link to a folder that folder.
		filepath.WalkDir(path+string(filepath.Separator), func(p string, e fs.DirEntry, err error) error {
			p = filepath.Clean(p)
			if err != nil {
				add(Input{Path: p, Named: true, Err: err})
				return nil // the rest is walked
			}
			if e.Type()&fs.ModeSymlink != 0 {
				info, err := os.Stat(p)
				if err != nil || !info.Mode().IsRegular() {
					return nil
				}
			} else if !e.Type().IsRegular() {
				return nil
			}
			add(Input{Path: p})
			return nil
		})
	}
	return list
}

// identity is the same for all paths of a file.
func identity(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	return path
}
