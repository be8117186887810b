"""What the built-in monsters are made of: faces, limbs and body plans, as text.

`utils/sprites/monsters.py` reads and draws them.
"""

# Stencils of a face that looks to the left: K pupil, W white, I iris, B blush, T tongue.
STENCILS = {
    "eye": "WK KK KI,WK KK KK,WK KK,WK KK KK KI,WK KK II,KK WK WI,KW KW",
    "stare": ".K. KWK KKK KKI,WKK KKK KKI,KKK KWI KII,KKK IKW IKW",
    "dot": "WK KK,KK KW,KK WK,W K,K K",
    "glow": "WW IW,WW WI,W. WW IW,WW II",
    "mouth": "K.K .K.,KK,KKK .T.,KKKK .W.W,K.. .KK,KTK .K.",
    "nose": "KK,KKK .K.",
    "cheek": "BB",
}


# A recipe lists parts from back to front.  A part is a shape or another recipe, with adjectives
# before it and numbers behind it:  ball x y rx ry | tube x y x y ... first and last radius |
# poly x y x y ... | eye, stare, mouth, nose, cheek x y | NAME x y size.
# x points to the tail and y up, in units of the size of the recipe; the face looks to -x.
# Adjectives: a colour; far (in the shade), left (far and mirrored), patch (only on the ramp under
# its middle), rooted (no seam near its start), fused (no seam), tipped (another colour at its end),
# maybe.  A monster picks one row and one size for each NAME and keeps them: its legs are alike.
RECIPES = {
    "ear": """
        tipped tube .5 .4 1.05 1.6 .45 .05
        tipped tube .5 .4 1.35 1.2 .45 .05
        ball .85 .75 .45 .45; trim patch ball .85 .75 .22 .22
        tipped tube .4 .75 1.4 1.1 1.2 -.2 .18 .26
        tipped tube .4 .7 .3 1.4 .85 1.9 .26 .22
        bone tube .6 .6 1.4 .9 .9 1.7 .28 .05
        tube .3 .8 .3 1.6 .9 1.7 .05 .05; trim ball .9 1.7 .26 .26
        trim poly .6 .3 .3 1 .9 .9 1.2 1.3 1.3 .6 1.7 .5 1.2 -.1 .7 -.3
        nothing""",
    "top": """
        poly -.6 -.2 -.7 .5 -.2 .2 0 .8 .3 .2 .8 .6 .6 -.2
        poly -.3 -.2 -.5 .9 .2 -.2
        poly 0 .1 -.9 .3 -1 .8 -.2 .5 0 0 .3 .6 1 .9 .9 .3
        poly -.5 -.1 -.1 .5 .7 .7 1.1 .2 1 -.5 .6 -.1
        poly -.4 -.2 -.6 .4 -.2 .8 -.1 .5 .4 1.4 .6 .3 .4 -.2
        ball -.5 .3 .36 .3; ball .5 .3 .36 .3; ball 0 .2 .25 .25
        bone tube -.1 0 -.7 .4 -.5 1.3 .16 .05; bone tube .2 0 .9 .4 .7 1.3 .16 .05""",
    "tail": """
        trim ball .2 .1 .45 .45
        tipped tube 0 0 1.9 -.2 1.5 1.9 .6 1.1 .32 .2
        tube 0 0 .9 -.3 1.2 .7 .3 .2; accent poly .9 .5 .6 1.1 1 1.5 1.1 1.2 1.6 2.1 1.8 1 1.6 .5
        tube 0 0 .9 -.3 1.2 .7 .2 .16; trim poly 1.2 .6 1 1.6 2.1 2 2.1 1
        tipped tube -.2 .1 1.2 -.8 2.2 .5 .5 .05
        tube 0 0 .7 .2 .2 .15; trim poly .5 .1 .8 .9 .6 1 1.7 2 1.3 1 1.6 .9 1 0
        tipped tube 0 0 1 -.4 1.3 1.3 .2 .6
        tube 0 0 1 -.4 1.4 1 .1 .1; trim ball 1.4 1 .4 .4
        tube 0 0 .9 -.2 1.2 .4 .3 .2; trim poly 1 .4 .7 1.4 1.2 1.1 1.5 1.6 1.8 1 2.3 1 1.5 .2""",
    "wing": """
        poly 0 0 .7 1.2 1.8 1.4 1.7 .4 1.3 .6 1.1 -.2 .7 .1 .2 -.4
        poly 0 .3 .8 1.1 1.9 1.4 1.7 .9 1.8 .5 1.4 .3 1.3 -.1 0 -.4
        poly 0 .2 .5 1.2 1.3 1.5 1.6 1 1.2 .4 1.4 0 1 -.5 .5 -.4; bone patch ball 1 .9 .3 .3""",
    "back": """
        nothing
        nothing
        accent poly -1 .6 -1.1 1.5 -.5 1 -.2 1.7 .3 1 .8 1.5 1 .5
        accent poly -.8 .6 -1 1.2 -.5 1.1 -.4 1.9 .2 1.2 .7 1.6 .8 .6
        accent patch ball 0 .8 1 .6
        trim patch ball -.4 .5 .25 .25; trim patch ball .3 .2 .3 .25; trim patch ball .7 .6 .2 .2
        trim patch tube -.4 1 -.3 .1 .15 .1; trim patch tube .3 1 .4 .1 .15 .1""",
    "leg": """
        rooted tube 0 3.2 -.1 1 .95 .8; foot ball -.4 .7 1.25 .7
        rooted tube .2 3.2 -.1 1 1.1 .7; foot ball -.3 .6 1.1 .6
        rooted tube 0 3.2 0 .8 1 .75; bone ball -.7 .45 .5 .45; fused ball .1 .7 .9 .7""",
    "arm": """
        rooted tipped tube 0 0 .6 -.3 1.1 .6 .3 .28
        rooted tipped tube 0 0 .7 0 .8 -.7 .28 .34
        rooted tube 0 0 .7 -.3 1 .1 .28 .28; bone ball 1.2 .2 .2 .2
        rooted tipped tube 0 0 .7 .3 1.2 0 .22 .42""",
    "face": """
        eye -.68 .02; eye .3 .02; mouth -.2 -.6; maybe cheek .75 -.35
        eye -.68 .02; eye .3 .02; mouth -.2 -.6; maybe cheek .75 -.35
        belly ball -.45 -.5 .55 .38; nose -.75 -.35; eye -.75 .25; eye .22 .25
        belly patch ball -.3 -.6 .65 .5; eye -.68 .05; eye .3 .05; mouth -.2 -.58""",
    "head": """
        ear 0 0 1; left ear 0 0 1; ball 0 0 1 .92; maybe accent top 0 .85 .75; face 0 0 1""",
}
PLANS = {
    "cub": """
        tail 2.6 3 4.8; left arm -2.4 7 4.4; far leg -2.4 0 1.7; ball 0 5.6 3.8 4.4
        belly patch ball -1.3 5 2.2 3.2; leg 2.6 0 1.8; head -.4 13 5.7; arm 2.6 7.4 4.4""",
    "imp": """
        tail 2 4 4.4; left arm -2 9.5 4.4; far leg -2 0 1.5; tube 0 10 0 5.4 2.4 3.2
        belly patch ball -1 6.4 1.8 3.2; leg 2.2 0 1.6; head -.4 15.4 5.4; arm 2 9.6 4.4""",
    "raptor": """
        far leg -1.8 0 1.6; tail 3.5 6 5; tube 2.4 7 -3 11 3.8 2.8
        belly patch tube 0 5 -4.5 10 1.5 1.9; back 2.4 7 3.8; leg 3 0 1.8; head -4 15 5.3
        rooted tipped tube -1.5 9 -3 7.5 -5.8 8 .9 .8""",
    "pup": """
        tail 7 8.6 4.2; far leg -4.6 0 1.3; far leg 7.6 0 1.3; tube -2.6 7.4 6 7.6 3.8 3.4
        back 2.4 7.4 3.8; leg -1.9 0 1.5; leg 5 0 1.5; head -6.4 11.6 5.5""",
    "fawn": """
        tail 6.6 11 3.8; far tube -4.6 7 -4.6 1 1.3 .8; far tube 7 7 8 1 1.5 .8
        tube -2.4 10.4 5.4 10.2 3.2 3; back 2 10 3; rooted tube -1.9 9 -1.9 3 1.6 1
        leg -1.9 0 1.2; rooted tube 4.6 9 5.6 6 4.6 3 1.8 1; leg 4.7 0 1.2
        rooted tube -2.6 11 -5 14 2.8 2; head -6.4 16.4 4.9""",
    "cat": """
        tail 5 3.6 4.8; far leg -4.4 0 1.4; tube -1.4 8 3.6 4.6 3 4.2; leg -1.8 0 1.4
        belly patch ball -3.4 6.4 1.6 2.6; back 3.4 5.6 3.8; leg 4.4 0 2; head -3.6 12.6 5.8""",
    "dragonet": """
        trim wing 1 8.5 6.8; left trim wing -1 8.5 6.4; tail 2.6 3 4.8; far leg -2.4 0 1.7
        ball 0 5.6 3.6 4.4; belly patch ball -1.3 5 2.1 3.2; leg 2.6 0 1.8; head -.4 12.6 5.3
        arm 2.4 7 3.8""",
    "drake": """
        trim far wing -2 11 5.6; far leg -4.6 0 1.5; tail 6.4 6.4 4.6; far leg 6.8 0 1.5
        tube -2.6 7 5 6.8 3.8 3.3; belly patch tube -5 5 4 4.4 1.6 1.4; leg -1.6 0 1.6
        leg 4.6 0 1.7; rooted tube -2.6 9 -5 15 2.8 2; head -6.4 16 4.9; trim wing 1 9 6.4""",
    "songbird": """
        bone leg -2.2 0 1; bone leg 1.4 0 1; trim tube 3 6 11 6 1.6 .7; trim tube 3 6 11 9 1.6 .7
        tube 2 7 -2 12 5 4.2; belly patch ball -2.8 5.4 3.6 3.6; maybe accent top -2 15.4 4
        bone tube -5.5 11.8 -8.4 11 1.6 .2; stare -2.8 12.8; cheek -1 10
        trim tube 0 8.6 4 7 8.5 4.6 2.6 .8""",
    "glider": """
        bone leg -1.2 0 1; bone leg 1.8 0 1; trim tube 3 6 10 4 1.6 .7; trim far wing -1 11 5.4
        tube 2.4 6.8 -2.4 11.4 4 3.9; belly patch ball -2.6 5.6 3 3.4; accent top -2.4 14.4 3.8
        bone tube -5.5 11.2 -8.2 10.6 1.5 .2; stare -3.2 12; trim wing 2 7 5.6""",
    "slime": """
        arm 5.6 6 4.4; left arm -5.6 6 4.4; ear 0 6.5 6; left ear 0 6.5 6; ball 0 2 7.8 2.4
        fused ball 0 6.5 6.6 6.5; maybe accent top 0 12.4 5; face -.4 7 5.7""",
    "serpent": """
        tipped tube 7 2.8 13 3 12 11 10.6 14 2.2 .6; tube 7 2.6 -12 0 9 9 -3 15 2.8 2.5
        belly patch tube 1 1.2 -10 0 6 9 -5 14 1.2 1.2; head -4 17 5.2""",
    "fish": """
        accent poly 5 9 11.5 15 10 9 11.5 3; accent poly -2 12 2 17.6 6.4 15.4 6 9
        accent far poly -1 6 2 0 5 6; tube -2 9 5 9 5.6 1.8; belly patch ball -2 4.4 6.6 3.4
        back 2 9 4; stare -3.8 9.8; mouth -6.6 6.4; cheek -2.2 6.6
        accent poly .4 8.6 5.4 8 4.4 3.8""",
    "mushroom": """
        foot ball -2.6 1 2 1.2; foot ball 2 1 2 1.2; left arm -3.6 5 4.4; arm 3.6 5 4.4
        belly ball 0 5.8 4.7 5; poly -9 8.6 -7.6 12.8 -3.4 16 3.4 16 7.6 12.8 9 8.6
        trim patch ball -4 11.4 1.7 1.4; trim patch ball .8 13.8 1.8 1.4
        trim patch ball 5 10.6 1.6 1.3; face -.4 5.4 4.7""",
    "flower": """
        poly 1 3 3 7 9 8.4 7.4 3.6; far poly -1 3 -3 7 -9 8.4 -7.4 3.6; tube .5 1 1.5 5 0 12 1.2 1
        ball -1.4 .9 2 1.1; ball 1.8 .9 2 1.1; accent ball 5.2 13.5 2.8 2.8
        accent ball 2.6 17.9 2.8 2.8; accent ball -2.6 17.9 2.8 2.8; accent ball -5.2 13.5 2.8 2.8
        accent ball -2.6 9.2 2.8 2.8; accent ball 2.6 9.2 2.8 2.8; belly ball 0 13.5 4.8 4.6
        face 0 13.4 4.6""",
    "bat": """
        trim wing 2.4 10 6.6; left trim wing -2.4 10 6.6; foot tube 1.8 5 2.4 2.4 1 .7
        foot tube -1.8 5 -2.4 2.4 1 .7; head 0 10 5.7""",
    "ghost": """
        arm 3.6 9 5.6; left arm -3.6 9 5.6; tipped tube 0 11 0 4 6 0 12 6 5.4 .4; head 0 11 6""",
    "jelly": """
        trim tipped tube -5 11 -7 6 -8 1 1.2 .7; trim tipped tube 2 11 5 6 2 1.4 1.2 .7
        trim tipped tube -1.4 11 0 6 -2.6 .6 1.2 .7; trim tipped tube 5 11 5 6 8.6 2 1.2 .7
        ball 0 12 6.6 5.8; belly ball 0 8 7 1.8; maybe accent top 0 16.8 5.4; face -.4 13 6""",
    "crab": """
        tube 5 5 9 6 9 .6 .9 .5; tube 5 5 12.6 6 11.8 .6 .9 .5; far tube -5 5 -9 6 -9 .6 .9 .5
        far tube -5 5 -12.6 6 -11.8 .6 .9 .5; tube 5 6 11 7 9.5 12 1.1 .9
        tube -5 6 -11 7 -9.5 12 1.1 .9; trim ball 9 13 2.7 2.7; trim ball -9 13 2.7 2.7
        poly 8.6 13.6 7.6 17.6 6.4 13.4; poly -8.6 13.6 -7.6 17.6 -6.4 13.4; ball 0 6.6 6.6 5
        belly patch ball 0 3 6.6 3; maybe accent top 0 11 4.6; back 2.4 6 4; face -.4 6.6 5""",
    "tortoise": """
        tail 6 3.6 3.6; far leg -4.6 0 1.5; far leg 6.6 0 1.5; ball 0 4.6 7 2.2
        accent poly -7 4.6 -6.4 9 -3.4 13.4 0 15 3.6 13.4 6.8 9.4 7.8 4.6
        trim patch ball -2.6 9.6 1.7 1.7; trim patch ball 2.6 10.2 1.8 1.7
        trim patch ball 0 6.4 1.4 1; trim patch ball 4.8 7 1.4 1.2; belly ball .3 4.4 8 1.2
        leg -2 0 1.6; leg 4.2 0 1.6; head -7.8 9.4 4.5""",
    "grub": """
        foot ball 9.4 3.8 1.1 1; ball 10 7 2.7 2.7; foot ball 5.4 1.4 1.1 1; trim ball 6 5 3 3
        foot ball 1 1 1.2 1; ball 1.6 4.6 3.4 3.4; foot ball -3.2 1 1.2 1
        trim ball -2.6 4.4 3.7 3.7; head -5.6 9.8 5.5""",
    "golem": """
        tube -3 6 -3.8 2.2 2 2.2; left arm -5 11 5; tube 3.4 6 4.2 2.2 2 2.2
        tube 0 11 0 7.4 6 3.6; belly patch ball 0 7.4 3.2 2.8; back 2 11 4.8; arm 5 11 5.4
        head -1 16 4.6""",
    "wasp": """
        trim far wing -2 11 5; bone tube 9 4 12.4 1 1 .2; tube 0 9 6 9 9.4 4 3.2 2.6
        accent patch tube 3 5.4 5 11 .9 .9; accent patch tube 6.4 3 10.6 7 .9 .9
        trim wing .6 11 5.6; head -5 11 5.3""",
    "wisp": """
        accent poly -6.4 1.6 -8.4 6 -7.4 12 -5.4 9 -3.4 15 -2 12.4 1.4 21 3.4 14 5 17.4 6 11
                    8 12.6 8 5 6 1.6 3 .4 -3.4 .4
        belly patch ball -.6 5 4.8 4.6; arm 6 5 4.4; left arm -6 5 4.4; face -.6 5.4 5""",
}
