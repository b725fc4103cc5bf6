"""The page's style sheet. Colours are mostly translucent, so that they hold on a light and on a dark ground; no fonts or images
are fetched from anywhere. ``!important`` stands where Streamlit's own rules for lists would win."""

CSS = """
.block-container, [data-testid="stMainBlockContainer"] { max-width: 52rem; padding-top: 2.6rem; }
[data-testid="stBottomBlockContainer"] { max-width: 52rem; }
[data-testid="stSidebarContent"] h2 { font-size: 1.05rem; padding-bottom: .2rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; min-height: 0; margin-bottom: 0; }
.mq-head h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; padding: 0; letter-spacing: -.01em; }
.mq-head p { margin: .35rem 0 0; opacity: .8; }
.mq-disclaimer { border-left: 4px solid #b45309; background: rgba(217, 119, 6, .09); border-radius: .4rem;
  padding: .65rem .9rem; font-size: .93rem; line-height: 1.45; }
.mq-answer, .mq-question { font-size: 1.02rem; line-height: 1.65; white-space: pre-line; overflow-wrap: anywhere; }
.mq-draft { opacity: .75; }
.mq-cursor { color: #0f766e; }
.mq-note, .mq-meta { font-size: .82rem; opacity: .75; }
.mq-marker { font-size: .78em; font-weight: 600; margin-left: .12em; cursor: help; line-height: 0; }
.mq-marker.mq-yes { color: #0f766e; }
.mq-marker.mq-no { color: #b45309; }
.mq-unsupported { text-decoration: underline dotted #b45309 2px; text-underline-offset: .22em; cursor: help; }
.mq-flag { color: #b45309; font-size: .85em; margin-left: .25em; }
.mq-refusal { border: 1px solid rgba(100, 130, 140, .35); background: rgba(100, 130, 140, .09); border-radius: .6rem;
  padding: .9rem 1.1rem; line-height: 1.5; }
.mq-refusal p { margin: 0 0 .35rem; }
.mq-refusal p:last-child { margin: 0; opacity: .8; font-size: .93rem; }
.mq-refusal-text { font-weight: 600; font-size: 1.05rem; }
.mq-passage { margin: 0 0 .5rem; padding: .1rem 0 .1rem .9rem; border-left: 3px solid rgba(15, 118, 110, .45); line-height: 1.6;
  white-space: pre-line; overflow-wrap: anywhere; }
.mq-passage mark { background: rgba(250, 204, 21, .38); color: inherit; padding: .06em .12em; border-radius: .2em; }
.mq-origin { margin: 0; font-size: .82rem; opacity: .8; overflow-wrap: anywhere; }
.mq-verdicts { list-style: none; margin: .7rem 0 0 !important; padding: 0 !important; font-size: .92rem; line-height: 1.5; }
.mq-verdicts li { display: flex; gap: .5rem; margin: 0 0 .3rem !important; padding: 0 !important; }
.mq-verdicts .mq-yes .mq-sign, .mq-verdicts .mq-yes strong { color: #0f766e; }
.mq-verdicts .mq-no .mq-sign, .mq-verdicts .mq-no strong { color: #b45309; }
.mq-why { opacity: .75; }
.mq-uncited { margin-bottom: 1rem; }
.mq-uncited:last-child { margin-bottom: 0; }
.mq-uncited h4 { font-size: .95rem; margin: 0 0 .35rem; padding: 0; }
.mq-score { font-weight: 400; font-size: .8rem; opacity: .7; margin-left: .6rem; }
.mq-facts { margin: 0 !important; padding: 0 !important; font-size: .88rem; }
.mq-facts div { display: flex; justify-content: space-between; gap: .8rem; padding: .16rem 0;
  border-bottom: 1px solid rgba(100, 130, 140, .18); }
.mq-facts dt { opacity: .75; }
.mq-facts dt, .mq-facts dd { margin: 0 !important; padding: 0 !important; }
.mq-facts dd { text-align: right; overflow-wrap: anywhere; }
"""
