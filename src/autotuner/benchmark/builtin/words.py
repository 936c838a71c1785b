"""Common English words for prompts of servers that get no token ids."""

from __future__ import annotations

import re

_TEXT = """
able about above across action after again against age agree air allow almost alone along already also always among
amount answer appear area argue arm around arrive ask attack away back bad bank base bear beat become bed before begin
behind believe benefit best better between beyond big bird black blood blue board body book born both box boy break
bring brother build business buy call camera campaign car card care carry case catch cause cell center central century
certain chair chance change character charge check child choice church citizen city claim class clear close coach cold
collection college color come common community company compare computer concern condition consider contain continue
control cost could country couple course court cover create crime culture cup current customer cut dark data daughter
day dead deal death debate decade decide decision deep defense degree describe design despite detail develop die
difference different difficult dinner direction director discover discuss disease doctor dog door down draw dream
drive drop drug during each early east easy eat economy edge education effect effort eight either election else
employee end energy enjoy enough enter entire environment especially establish evening event ever every evidence
exactly example executive exist expect experience expert explain eye face fact factor fail fall family far fast father
fear federal feel feeling few field fight figure fill film final find fine finger finish fire firm first fish five
floor fly focus follow food foot force foreign forget form former forward four free friend from front full fund future
game garden gas general generation get girl give glass goal good government great green ground group grow growth guess
gun guy hair half hand hang happen happy hard head health hear heart heat heavy help here high history hit hold home
hope hospital hot hotel hour house how however huge human hundred husband idea identify image imagine impact important
improve include increase indeed indicate individual industry information inside instead institution interest interview
investment involve issue item itself job join just keep key kid kill kind kitchen know knowledge land language large
last late later laugh law lawyer lay lead leader learn least leave left leg legal less let letter level life light
like likely line list listen little live local long look lose loss lot love low machine magazine main maintain major
make man manage many market marriage material matter maybe mean measure media medical meet meeting member memory
mention message method middle might military million mind minute miss mission model modern moment money month more
morning most mother mouth move movement movie much music must name nation national natural nature near nearly
necessary need network never new news next nice night none north note nothing notice number occur offer office officer
official often oil old once one only open operation option order organize other outside over own owner page pain
painting paper parent part particular partner party pass past patient pattern pay peace people per perform perhaps
period person phone physical pick picture piece place plan plant play player point police policy poor popular
population position possible power practice prepare present president pressure pretty prevent price private probably
problem process produce product professional program project property protect prove provide public pull purpose push
put quality question quickly quite race radio raise range rate rather reach read ready real reality reason receive
recent record red reduce reflect region relate remain remember remove report represent require research resource
respond rest result return reveal rich right rise risk road rock role room rule run safe same save say scene school
science score sea season seat second section security see seek seem sell send senior sense series serious serve
service set seven several shake share shoot short shot should shoulder show side sign similar simple since sing single
sister sit site situation six size skill skin small smile social society soldier some son song soon sort sound source
south space speak special speech spend sport spring staff stage stand standard star start state statement station stay
step still stock stop store story strategy street strong structure student study stuff style subject success such
suddenly suffer suggest summer support sure surface system table take talk task tax teach team technology television
tell ten tend term test thank then theory there thing think third thought thousand threat three through throw time
today together tonight too top total tough toward town trade training travel treat tree trial trip trouble true truth
try turn two type under understand unit until up upon use usually value various very victim view violence visit voice
vote wait walk wall want war watch water way weapon wear week weight well west whatever when where which while white
who whole why wide wife will win wind window wish with within without woman wonder word work worker world worry would
write writer wrong yard yeah year yes yet young
"""

WORDS = tuple(re.findall("[a-z]+", _TEXT))
