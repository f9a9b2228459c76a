"""Asks a domain controller for changes of a naming context, or for single objects, over DRSUAPI.

Uses Samba's own client library, so that it authenticates with Kerberos (the
credential cache of the environment) or NTLM exactly as a domain member does.
What the server answers is counted and thrown away.
"""
import argparse
import json
import os
import time

from samba.credentials import MUST_USE_KERBEROS, Credentials
from samba.dcerpc import drsuapi, misc
from samba.drs_utils import drsuapi_connect
from samba.param import LoadParm


def request(nc, cookie, one_object):
    req = drsuapi.DsGetNCChangesRequest8()
    req.destination_dsa_guid = misc.GUID("6f1d2a30-5f43-4c2e-9a52-0c3d5f7a9b11")
    req.source_dsa_invocation_id = misc.GUID(cookie["source"])
    req.naming_context = drsuapi.DsReplicaObjectIdentifier()
    req.naming_context.dn = nc
    req.highwatermark = drsuapi.DsReplicaHighWaterMark()
    req.highwatermark.tmp_highest_usn = cookie["tmp"]
    req.highwatermark.highest_usn = cookie["usn"]
    req.uptodateness_vector = None
    req.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
    req.max_object_count = 1 if one_object else 402
    req.max_ndr_size = 402116
    req.extended_op = drsuapi.DRSUAPI_EXOP_REPL_OBJ if one_object else drsuapi.DRSUAPI_EXOP_NONE
    req.fsmo_info = 0
    req.partial_attribute_set = req.partial_attribute_set_ex = None
    req.mapping_ctr.num_mappings = 0
    req.mapping_ctr.mappings = None
    return req


def pull(drs, handle, nc, cookie, one_object):
    """Pulls until the server has no more; returns the number of objects and moves the cookie on."""
    objects = 0
    while True:
        _, ctr = drs.DsGetNCChanges(handle, 8, request(nc, cookie, one_object))
        objects += ctr.object_count
        if one_object:
            return objects
        cookie.update(source=str(ctr.source_dsa_invocation_id),
                      tmp=ctr.new_highwatermark.tmp_highest_usn, usn=ctr.new_highwatermark.highest_usn)
        if not ctr.more_data:
            return objects


def main():
    p = argparse.ArgumentParser()
    p.add_argument("server")
    p.add_argument("names", nargs="+", help="naming contexts, or with --objects distinguished names")
    p.add_argument("--objects", action="store_true", help="ask for single objects")
    p.add_argument("--user", help="NTLM with this user and --password; default: Kerberos with the cache at hand")
    p.add_argument("--password", default="")
    p.add_argument("--domain", default="LAB")
    p.add_argument("--cookie", help="file that remembers how far an earlier pull came")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--pause", type=float, default=2, help="seconds between rounds")
    a = p.parse_args()

    lp = LoadParm()
    lp.load(os.environ["SMB_CONF_PATH"])
    creds = Credentials()
    creds.guess(lp)
    if a.user:
        creds.set_username(a.user)
        creds.set_password(a.password)
        creds.set_domain(a.domain)
    else:
        creds.set_kerberos_state(MUST_USE_KERBEROS)
    cookies = {}
    if a.cookie and os.path.exists(a.cookie):
        with open(a.cookie) as f:
            cookies = json.load(f)
    drs, handle, _ = drsuapi_connect(a.server, lp, creds)
    for n in range(a.rounds):
        if n:
            time.sleep(a.pause)
        for name in a.names:
            cookie = cookies.setdefault(name, {"source": "00000000-0000-0000-0000-000000000000", "tmp": 0, "usn": 0})
            print(name, pull(drs, handle, name, cookie, a.objects), "objects")
    if a.cookie:
        with open(a.cookie, "w") as f:
            json.dump(cookies, f)


if __name__ == "__main__":
    main()
