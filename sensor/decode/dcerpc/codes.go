package dcerpc

import "fmt"

// PDU types (C706 §12.6.1, MS-RPCE §2.2.2.1). Those not listed belong to the
// connectionless protocol.
const (
	ptypeRequest          = 0
	ptypeResponse         = 2
	ptypeFault            = 3
	ptypeBind             = 11
	ptypeBindAck          = 12
	ptypeBindNak          = 13
	ptypeAlterContext     = 14
	ptypeAlterContextResp = 15
	ptypeAuth3            = 16
	ptypeShutdown         = 17
	ptypeCancel           = 18
	ptypeOrphaned         = 19
)

// PFC flags (C706 §12.6.3.1).
const (
	flagFirst  = 0x01
	flagLast   = 0x02
	flagObject = 0x80
)

// auth_type (MS-RPCE §2.2.1.1.7).
const (
	authSPNEGO   = 9
	authNTLM     = 10
	authKerberos = 16
	authNetlogon = 68
)

// auth_level (MS-RPCE §2.2.1.1.8).
const (
	levelConnect   = 2
	levelIntegrity = 5
	levelPrivacy   = 6
)

// protection names what an auth_level does to every PDU.
func protection(level byte) string {
	switch level {
	case levelIntegrity:
		return "integrity"
	case levelPrivacy:
		return "privacy"
	}
	return ""
}

// Results of a presentation context (C706 §12.6.3.1, p_cont_def_result_t;
// MS-RPCE §2.2.2.4 adds negotiate_ack).
const (
	resultAcceptance = 0
	resultNegotiated = 3
)

// Statuses of a fault that say that the caller was not authenticated, if the
// fault itself is not signed: a server that has no security context cannot sign.
const (
	faultAccessDenied  = 0x00000005
	faultSecPkgError   = 0x00000721
	faultUnsupportedLv = 0x1c00001d
	faultInvalidChksum = 0x1c00001f
)

// faultNames names fault statuses: those of C706 appendix E, and the Windows
// errors that MS-RPCE servers use (§2.2.2.8, §3.1.1.5.5).
var faultNames = map[uint32]string{
	faultAccessDenied:  "nca_s_fault_access_denied",
	0x000006f7:         "nca_s_fault_ndr",
	faultSecPkgError:   "nca_s_fault_sec_pkg_error",
	0x1c000001:         "nca_s_fault_int_div_by_zero",
	0x1c000002:         "nca_s_fault_addr_error",
	0x1c000003:         "nca_s_fault_fp_div_zero",
	0x1c000004:         "nca_s_fault_fp_underflow",
	0x1c000005:         "nca_s_fault_fp_overflow",
	0x1c000006:         "nca_s_fault_invalid_tag",
	0x1c000007:         "nca_s_fault_invalid_bound",
	0x1c000008:         "nca_s_rpc_version_mismatch",
	0x1c000009:         "nca_s_unspec_reject",
	0x1c00000a:         "nca_s_bad_actid",
	0x1c00000b:         "nca_s_who_are_you_failed",
	0x1c00000c:         "nca_s_manager_not_entered",
	0x1c00000d:         "nca_s_fault_cancel",
	0x1c00000e:         "nca_s_fault_ill_inst",
	0x1c00000f:         "nca_s_fault_fp_error",
	0x1c000010:         "nca_s_fault_int_overflow",
	0x1c000012:         "nca_s_fault_unspec",
	0x1c000013:         "nca_s_fault_remote_comm_failure",
	0x1c000014:         "nca_s_fault_pipe_empty",
	0x1c000015:         "nca_s_fault_pipe_closed",
	0x1c000016:         "nca_s_fault_pipe_order",
	0x1c000017:         "nca_s_fault_pipe_discipline",
	0x1c000018:         "nca_s_fault_pipe_comm_error",
	0x1c000019:         "nca_s_fault_pipe_memory",
	0x1c00001a:         "nca_s_fault_context_mismatch",
	0x1c00001b:         "nca_s_fault_remote_no_memory",
	0x1c00001c:         "nca_s_invalid_pres_context_id",
	faultUnsupportedLv: "nca_s_unsupported_authn_level",
	faultInvalidChksum: "nca_s_invalid_checksum",
	0x1c000020:         "nca_s_invalid_crc",
	0x1c000021:         "nca_s_fault_user_defined",
	0x1c000022:         "nca_s_fault_tx_open_failed",
	0x1c000023:         "nca_s_fault_codeset_conv_error",
	0x1c000024:         "nca_s_fault_object_not_found",
	0x1c000025:         "nca_s_fault_no_client_stub",
	0x1c010002:         "nca_s_op_rng_error",
	0x1c010003:         "nca_s_unk_if",
	0x1c010006:         "nca_s_wrong_boot_time",
	0x1c010009:         "nca_s_you_crashed",
	0x1c01000b:         "nca_s_proto_error",
	0x1c010013:         "nca_s_out_args_too_big",
	0x1c010014:         "nca_s_server_too_busy",
	0x1c010015:         "nca_s_fault_string_too_long",
	0x1c010017:         "nca_s_unsupported_type",
}

// faultName is the status's own name, or its number.
func faultName(status uint32) string {
	if name, ok := faultNames[status]; ok {
		return name
	}
	return fmt.Sprintf("0x%08x", status)
}

// nakNames names provider_reject_reason of bind_nak (C706 §12.6.3.1, MS-RPCE
// §2.2.2.5).
var nakNames = map[uint16]string{
	0: "reason_not_specified",
	1: "temporary_congestion",
	2: "local_limit_exceeded",
	3: "called_paddr_unknown",
	4: "protocol_version_not_supported",
	5: "default_context_not_supported",
	6: "user_data_not_readable",
	7: "no_psap_available",
	8: "authentication_type_not_recognized",
	9: "invalid_checksum",
}

func nakName(reason uint16) string {
	if name, ok := nakNames[reason]; ok {
		return name
	}
	return fmt.Sprintf("bind_nak reason %d", reason)
}
