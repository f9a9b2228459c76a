// Package smb reads SMB.
package smb
