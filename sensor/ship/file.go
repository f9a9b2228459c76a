package ship

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile renames a file over another. Windows does so too, as long as
// nobody has the other one open.
func replaceFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		if removed := os.Remove(to); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			return err
		}
		return os.Rename(from, to)
	}
	return nil
}

// writeFile replaces a file as a whole: after a power cut it is the old one or
// the new one.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = replaceFile(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename last, where folders can be synced: on Windows they
// cannot, and need not.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && filepath.Separator == '/' {
		return err
	}
	return nil
}
