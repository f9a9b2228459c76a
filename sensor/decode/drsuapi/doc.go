// Package drsuapi reads calls on the directory replication interface (MS-DRSR
// §4.1), the way domain controllers replicate, and the way secrets are stolen
// from one.
//
// # What is read
//
// Every call becomes an activity, whatever its opnum: operation, sizes, outcome,
// and who made it. Of a request that is not sealed, the naming context or object
// it is about: the pNC of IDL_DRSGetNCChanges versions 4, 5, 7, 8 and 10 (MS-DRSR
// §4.1.10.2), IDL_DRSReplicaSync, IDL_DRSUpdateRefs and IDL_DRSReplicaDel version
// 1, IDL_DRSReplicaAdd versions 1 and 2. A DSNAME without a name gives its GUID as
// <GUID=…> (MS-ADTS §3.1.1.3.1.2.4).
//
// A fault is a failure, and so is a readable response whose return value, the
// last number of every response of this interface, is not zero.
//
// # What is ignored on purpose
//
// All other arguments, and what is replicated. Requests in NDR64 are not read:
// nothing but domain controllers uses it, and they seal.
//
// # What cannot be seen
//
// Windows seals this interface always. The refusal of a sealed request is then
// inside the sealed response, which looks like any other: the call counts as
// answered, hence as a success. An outcome of failure can be trusted, one of
// success under seal means that the server answered.
//
// # Limits
//
// The first maxRequest bytes of a request stub are looked at. A name is read
// only if all lengths around it agree; in any doubt there is none.
package drsuapi
