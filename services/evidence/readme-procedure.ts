/**
 * What stock tools cannot do in one command, in Python's standard library, short enough to be read before it is run:
 * no file too many, the chain, the tree, the checkpoints, and the disclosed names. Printed in every README.txt.
 */
export const PROCEDURE = String.raw`#begin verify.py
import hashlib, base64, json, os, sys
H = lambda b: hashlib.sha256(b).digest()
def fail(why): sys.exit('FAIL ' + why)
listed, beside = set(), {'SHA256SUMS', 'signer.pub', 'tsa-root.pem', 'verify.py'}
for line in open('SHA256SUMS', encoding='ascii'):
    if line[0] == '#': continue
    digest, path = line[:-1].split('  ', 1)
    listed.add(path)
    if H(open(path, 'rb').read()).hex() != digest: fail(path + ' was changed')
for folder, _, names in os.walk('.'):
    for name in names:
        path = os.path.relpath(os.path.join(folder, name)).replace(os.sep, '/')
        if path not in listed | beside and not path.startswith('sig/'): fail(path + ' is not listed')
manifest, start = json.load(open('manifest.json')), json.load(open('log/start.json'))
seq, link, at = start['size'], bytes.fromhex(start['prev']), ''
edge = [n and bytes.fromhex(n) for n in start['frontier']]
def root():
    r = None
    for n in edge:
        if n: r = n if r is None else H(b'\x01' + n + r)
    return r or H(b'')
anchors = (manifest['ledger']['anchors'] or {'sizes': []})['sizes']
opened = {d['seq']: d['open'] for d in map(json.loads, open('log/disclosures.jsonl', encoding='utf-8'))}
for line in open('log/events.jsonl', 'rb'):
    line, seq = line[:-1], seq + 1
    if line.startswith(b'{"leaf":'): leaf = bytes.fromhex(json.loads(line)['leaf'])
    else:
        leaf, event = H(b'\x00' + line), json.loads(line)
        if event['seq'] != seq or event['tenant'] != manifest['tenant']: fail('event %d is another one' % seq)
        if event['at'] < at: fail('event %d lies before the one in front of it' % seq)
        at = event['at']
        for path, salt, value in opened.pop(seq, []):
            stated = event['event']
            for key in path[1:].split('/'): stated = stated[int(key) if isinstance(stated, list) else key]
            text = json.dumps(value, ensure_ascii=False, separators=(',', ':'), sort_keys=True)
            if stated != '#' + H(bytes.fromhex(salt) + path.encode() + b'\0' + text.encode()).hex():
                fail('event %d commits to another %s' % (seq, path))
    link = H(b'\x01' + link + leaf)
    node, level = leaf, 0
    while level < len(edge) and edge[level]:
        node, edge[level], level = H(b'\x01' + edge[level] + node), None, level + 1
    if level == len(edge): edge.append(None)
    edge[level] = node
    if seq in anchors:
        note = open('log/anchors/%d.checkpoint' % seq, encoding='utf-8').read().split('\n')
        if note[1] != str(seq) or base64.b64decode(note[2]) != root(): fail('checkpoint %d' % seq)
head = manifest['ledger']['head']
if (seq, link.hex(), root().hex()) != (head['seq'], head['link'], head['root']): fail('the end of the log')
if opened: fail('values are disclosed of events that are not shown')
print('OK: %d files, %d events, %d checkpoints' % (len(listed), seq - start['size'], len(anchors)))
#end verify.py`
