// Package svcctl reads calls on the service control manager (MS-SCMR), by which
// programs are run on a server from elsewhere.
//
// # What is read
//
// Every call becomes an activity but a handle that is closed, which is counted.
// Creating a service, in whatever form (RCreateServiceW, A, WOW64 and
// RCreateWowService), changing its configuration and starting it is
// server.service; the rest is rpc.call with the service's name. A return value
// that is an error makes a call a failure.
//
// Handles are followed: ROpenService and RCreateService say which service a
// handle stands for, so that starting, changing, stopping or deleting it names
// it (MS-SCMR §3.1.4.12, §3.1.4.16).
//
// Of a service that is created or changed: name, display name, image, account,
// type and start type (§3.1.4.11, §3.1.4.12). Arguments of a start are in the
// call's names, the control code of RControlService in its level.
//
// # What is ignored on purpose
//
// Passwords, dependencies, load order groups, failure actions, states, and lists
// of services.
//
// # Limits
//
// decode.MaxStub bytes of a request, since the image may be a command line of
// up to 32,767 characters; of a longer one the image is cut and the account,
// which follows it, is not read. The beginning of a response, where handles are.
// Handles as of package ndr, arguments of a start maxArguments.
package svcctl
