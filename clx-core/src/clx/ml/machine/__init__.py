"""What this machine has and how it fails: devices, disk, memory, processes, and log noise.

Entry points: ``devices.choose_device`` and ``trains_on_cpu``, ``disk.full_disk_named``,
``memory.memory_for_training``, ``memory_for_features`` and ``memory_for_prediction``,
``distributed.is_main_process`` and ``broadcast``, and ``quiet.quiet_transformers``.
"""
