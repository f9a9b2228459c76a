package journal

import "golang.org/x/sys/windows"

// free is how many bytes the volume of dir has left for us.
func free(dir string) (int64, error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var ours uint64
	if err := windows.GetDiskFreeSpaceEx(p, &ours, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(ours, 1<<62)), nil
}
