# Says who opens what in folders: `file-opens.py FOLDER...` prints `ready`, then a line of JSON for each file or folder that is opened, with the
# rights of the thread that opens it. The kernel lets it wait until they have been read (fanotify, permission events), so that none escapes.
import ctypes, json, os, struct, sys

FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_REPORT_TID = 0x4, 0x1, 0x100
FAN_MARK_ADD, FAN_OPEN_PERM, FAN_EVENT_ON_CHILD, FAN_ONDIR = 0x1, 0x10000, 0x08000000, 0x40000000
FAN_ALLOW, AT_FDCWD = 1, -100
EVENT = struct.Struct("IBBHQii")

libc = ctypes.CDLL(None, use_errno=True)
libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
events = libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_REPORT_TID, os.O_RDONLY)
if events < 0:
    sys.exit(f"fanotify: {os.strerror(ctypes.get_errno())}")
for folder in sys.argv[1:]:
    if libc.fanotify_mark(events, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, folder.encode()) != 0:
        sys.exit(f"{folder}: {os.strerror(ctypes.get_errno())}")
print("ready", flush=True)


def rights(thread):
    with open(f"/proc/{thread}/status") as status:
        found = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    ids = {name.lower(): [int(n) for n in found[name].split()] for name in ("Uid", "Gid", "Groups")}
    return {**ids, "process": int(found["Tgid"]), "capabilities": [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]}


while True:
    octets = os.read(events, 65536)
    while octets:
        length, _version, _reserved, _metadata, _mask, opened, thread = EVENT.unpack_from(octets)
        line = {"path": os.readlink(f"/proc/self/fd/{opened}"), **rights(thread)}
        os.write(events, struct.pack("iI", opened, FAN_ALLOW))
        os.close(opened)
        print(json.dumps(line), flush=True)
        octets = octets[length:]
