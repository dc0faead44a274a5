"""What the models are for, and what not: in every model card, on the page Home and in reports."""

PROHIBITED_USE = """\
Not for decisions about people: hiring, work, school, credit, insurance, policing, health. In the European Union the AI
Act forbids emotion inference at the workplace and in education, except for medical and safety reasons. Not for
children, who are in none of the corpora, and not for the voice of anybody who has not consented."""
INTENDED_USE = f"""\
For research, teaching and the design of voice interfaces: to study acted emotional speech, to compare models, to
prototype. It was trained on **actors who played emotions**, in quiet rooms. It reports how much a recording
resembles such acting, not what a person feels.

{PROHIBITED_USE}"""
"""Section of every model card, in Markdown."""
