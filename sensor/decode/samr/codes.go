package samr

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/sensor/decode"
)

// Opnums (MS-SAMR §3.1.5).
const (
	opConnect                  = 0
	opCloseHandle              = 1
	opSetSecurityObject        = 2
	opLookupDomain             = 5
	opOpenDomain               = 7
	opQueryInformationDomain   = 8
	opSetInformationDomain     = 9
	opCreateGroup              = 10
	opEnumerateGroups          = 11
	opCreateUser               = 12
	opEnumerateUsers           = 13
	opCreateAlias              = 14
	opEnumerateAliases         = 15
	opGetAliasMembership       = 16
	opLookupNames              = 17
	opLookupIds                = 18
	opOpenGroup                = 19
	opQueryInformationGroup    = 20
	opSetInformationGroup      = 21
	opAddMemberToGroup         = 22
	opDeleteGroup              = 23
	opRemoveMemberFromGroup    = 24
	opGetMembersInGroup        = 25
	opSetMemberAttributes      = 26
	opOpenAlias                = 27
	opQueryInformationAlias    = 28
	opSetInformationAlias      = 29
	opDeleteAlias              = 30
	opAddMemberToAlias         = 31
	opRemoveMemberFromAlias    = 32
	opGetMembersInAlias        = 33
	opOpenUser                 = 34
	opDeleteUser               = 35
	opQueryInformationUser     = 36
	opSetInformationUser       = 37
	opChangePasswordUser       = 38
	opGetGroupsForUser         = 39
	opQueryDisplayInformation  = 40
	opGetDisplayIndex          = 41
	opGetUserPasswordInfo      = 44
	opRemoveFromForeignDomain  = 45
	opQueryInformationDomain2  = 46
	opQueryInformationUser2    = 47
	opQueryDisplayInformation2 = 48
	opGetDisplayIndex2         = 49
	opCreateUser2              = 50
	opQueryDisplayInformation3 = 51
	opAddMembersToAlias        = 52
	opRemoveMembersFromAlias   = 53
	opOemChangePassword        = 54
	opUnicodeChangePassword    = 55
	opConnect2                 = 57
	opSetInformationUser2      = 58
	opConnect4                 = 62
	opConnect5                 = 64
	opRidToSid                 = 65
	opSetDSRMPassword          = 66
	opUnicodeChangePassword4   = 73
)

var operations = decode.Operations{
	"SamrConnect",
	"SamrCloseHandle",
	"SamrSetSecurityObject",
	"SamrQuerySecurityObject",
	"",
	"SamrLookupDomainInSamServer",
	"SamrEnumerateDomainsInSamServer",
	"SamrOpenDomain",
	"SamrQueryInformationDomain",
	"SamrSetInformationDomain",
	"SamrCreateGroupInDomain",
	"SamrEnumerateGroupsInDomain",
	"SamrCreateUserInDomain",
	"SamrEnumerateUsersInDomain",
	"SamrCreateAliasInDomain",
	"SamrEnumerateAliasesInDomain",
	"SamrGetAliasMembership",
	"SamrLookupNamesInDomain",
	"SamrLookupIdsInDomain",
	"SamrOpenGroup",
	"SamrQueryInformationGroup",
	"SamrSetInformationGroup",
	"SamrAddMemberToGroup",
	"SamrDeleteGroup",
	"SamrRemoveMemberFromGroup",
	"SamrGetMembersInGroup",
	"SamrSetMemberAttributesOfGroup",
	"SamrOpenAlias",
	"SamrQueryInformationAlias",
	"SamrSetInformationAlias",
	"SamrDeleteAlias",
	"SamrAddMemberToAlias",
	"SamrRemoveMemberFromAlias",
	"SamrGetMembersInAlias",
	"SamrOpenUser",
	"SamrDeleteUser",
	"SamrQueryInformationUser",
	"SamrSetInformationUser",
	"SamrChangePasswordUser",
	"SamrGetGroupsForUser",
	"SamrQueryDisplayInformation",
	"SamrGetDisplayEnumerationIndex",
	"",
	"",
	"SamrGetUserDomainPasswordInformation",
	"SamrRemoveMemberFromForeignDomain",
	"SamrQueryInformationDomain2",
	"SamrQueryInformationUser2",
	"SamrQueryDisplayInformation2",
	"SamrGetDisplayEnumerationIndex2",
	"SamrCreateUser2InDomain",
	"SamrQueryDisplayInformation3",
	"SamrAddMultipleMembersToAlias",
	"SamrRemoveMultipleMembersFromAlias",
	"SamrOemChangePasswordUser2",
	"SamrUnicodeChangePasswordUser2",
	"SamrGetDomainPasswordInformation",
	"SamrConnect2",
	"SamrSetInformationUser2",
	"",
	"",
	"",
	"SamrConnect4",
	"",
	"SamrConnect5",
	"SamrRidToSid",
	"SamrSetDSRMPassword",
	"SamrValidatePassword",
	"",
	"",
	"",
	"",
	"",
	"SamrUnicodeChangePasswordUser4",
	"SamrValidateComputerAccountReuseAttempt",
}

// queries are the operations that read accounts or groups, and those that open
// one: an answer to Open* says that the account exists.
var queries = map[uint16]bool{
	opEnumerateGroups: true, opEnumerateUsers: true, opEnumerateAliases: true,
	opGetAliasMembership: true, opLookupNames: true, opLookupIds: true,
	opOpenGroup: true, opOpenAlias: true, opOpenUser: true,
	opQueryInformationGroup: true, opQueryInformationAlias: true,
	opQueryInformationUser: true, opQueryInformationUser2: true,
	opGetMembersInGroup: true, opGetMembersInAlias: true, opGetGroupsForUser: true,
	opQueryDisplayInformation: true, opQueryDisplayInformation2: true, opQueryDisplayInformation3: true,
	opGetDisplayIndex: true, opGetDisplayIndex2: true,
}

// changes says what operations change, and as what.
var changes = map[uint16]struct{ act, class string }{
	opSetSecurityObject:       {"modify", ""},
	opSetInformationDomain:    {"modify", "domain"},
	opCreateGroup:             {"create", "group"},
	opCreateUser:              {"create", "user"},
	opCreateAlias:             {"create", "group"},
	opCreateUser2:             {"create", "user"},
	opSetInformationGroup:     {"modify", "group"},
	opSetInformationAlias:     {"modify", "group"},
	opAddMemberToGroup:        {"member-add", "group"},
	opRemoveMemberFromGroup:   {"member-remove", "group"},
	opSetMemberAttributes:     {"modify", "group"},
	opAddMemberToAlias:        {"member-add", "group"},
	opRemoveMemberFromAlias:   {"member-remove", "group"},
	opAddMembersToAlias:       {"member-add", "group"},
	opRemoveMembersFromAlias:  {"member-remove", "group"},
	opRemoveFromForeignDomain: {"member-remove", "group"},
	opDeleteGroup:             {"delete", "group"},
	opDeleteAlias:             {"delete", "group"},
	opDeleteUser:              {"delete", "user"},
	opSetInformationUser:      {"modify", "user"},
	opSetInformationUser2:     {"modify", "user"},
	opChangePasswordUser:      {"password-change", "user"},
	opOemChangePassword:       {"password-change", "user"},
	opUnicodeChangePassword:   {"password-change", "user"},
	opUnicodeChangePassword4:  {"password-change", "user"},
	opSetDSRMPassword:         {"password-reset", "user"},
}

// kind is what sort of activity a call is.
func kind(opnum uint16) activity.Kind {
	if _, ok := changes[opnum]; ok {
		return activity.DirectoryChange
	}
	if queries[opnum] {
		return activity.SAMRQuery
	}
	return activity.RPCCall
}

// Levels of USER_INFORMATION_CLASS (MS-SAMR §2.2.6.28).
const (
	userAccountName  = 7  // UserAccountNameInformation
	userControl      = 16 // UserControlInformation
	userInternal1    = 18 // hashes
	userInternal4    = 23 // everything and a password
	userInternal5    = 24 // a password
	userInternal4New = 25
	userInternal5New = 26
	userInternal7    = 31
	userInternal8    = 32
)

// setsPassword tells the levels that carry a password.
func setsPassword(level uint32) bool {
	switch level {
	case userInternal1, userInternal4, userInternal5, userInternal4New, userInternal5New, userInternal7, userInternal8:
		return true
	}
	return false
}

// Levels of GROUP_INFORMATION_CLASS and ALIAS_INFORMATION_CLASS that rename
// (§2.2.4.2, §2.2.5.4).
const (
	groupName = 2 // GroupNameInformation
	aliasName = 2 // AliasNameInformation
)

// Account types of a new user (§2.2.1.9, USER_ACCOUNT codes §2.2.1.12).
const (
	userWorkstationTrust = 0x80
	userServerTrust      = 0x100
)
