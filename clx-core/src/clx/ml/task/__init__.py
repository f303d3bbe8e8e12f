"""What an author writes, the options of every task, and the checks of both.

Entry points: ``task.Task``, ``checks.check_task``, the table ``options.OPTIONS`` with
``options.option_problems``, and ``training_args.check_training_args``.
"""
