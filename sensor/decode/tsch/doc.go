// Package tsch reads calls on the task scheduler's two remote interfaces: that of
// XML tasks (MS-TSCH §3.2.5.4, ITaskSchedulerService) and that of at jobs
// (§3.2.5.2, ATSvc), as tsch and atsvc.
//
// # What is read
//
// Every call becomes an activity. SchRpcRegisterTask, SchRpcRun and NetrJobAdd
// are server.task, the rest rpc.call with the task's path. A return value that
// is an error makes a call a failure.
//
// Of a task that is registered: its path, as sent or else as the server answers
// it, and of its XML (§2.5) the first action (command with arguments, or class of
// a COM handler), the account it runs as and whether it is hidden. A registration
// that only updates (TASK_UPDATE without TASK_CREATE) is a change. Of an at job
// the command, and its number as path.
//
// # What is ignored on purpose
//
// Triggers, security descriptors, credentials, and what is returned of tasks.
//
// # Limits
//
// decode.MaxStub bytes of a request: a task's XML is UTF-16, 3 to 6 KiB in
// practice, with its actions at the end. XML that is longer, or broken, gives
// what stands before that.
package tsch
